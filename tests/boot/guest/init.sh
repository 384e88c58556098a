#!/bin/busybox sh
# The first process of the guest. All it does besides running the agent is what systemd does on a device: file systems,
# modules, network, petting the watchdog, restarting what ended. A broken release dies or hangs here.
export PATH=/usr/bin:/usr/sbin:/bin:/sbin HOME=/data PYTHONPATH=/opt/otabridge PYTHONUNBUFFERED=1 LANG=C.UTF-8
mount() { busybox mount "$@"; }
say() { busybox echo @@ "$@"; }
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
release=$(busybox cat /etc/release)
say "release $release starts, $(busybox cut -d. -f1 /proc/uptime) s after the kernel"

trouble=$(busybox cat /etc/trouble 2>/dev/null)
if [ "$trouble" = init-dies ]; then
  say "release $release: init dies"
  exit 1
fi

while read -r module; do
  arguments=
  [ "$module" = softdog.ko ] && arguments='soft_margin=12 nowayout=1'
  busybox insmod "/lib/guest-modules/$module" $arguments || say "no module $module"
done </lib/guest-modules/order

busybox ip link set lo up
busybox ip link set eth0 up
busybox ip addr add 10.0.2.15/24 dev eth0
busybox ip route add default via 10.0.2.2
mount -t ext4 /dev/nvme0n1p4 /data || say "no data partition"

# Like systemd's RuntimeWatchdogSec: opened as early as may be, and petted as long as this process is well.
exec 9>/dev/watchdog
if [ "$trouble" = hangs ]; then
  say "release $release: hangs"
  while :; do busybox sleep 60; done
fi
(while :; do busybox echo -n . >&9; busybox sleep 2; done) &

say "release $release runs the agent"
while :; do
  python3 -m agent.cli --config /data/agent.toml run 9>&-
  status=$?
  say "the agent ended with $status"
  [ $status = 75 ] && break
  busybox sleep 1
done
busybox umount /data
busybox reboot -f
