#!/bin/busybox sh
# The first process of the guest. All it does besides running the agent is what systemd does on a device: file systems,
# modules, network, restarting what ended. A broken release dies or hangs here.
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

# What hangs before it comes to its agent is left to the first process's watchdog, as with systemd's RuntimeWatchdogSec;
# all other releases leave the watchdog to the agent, which may stop it again.
while read -r module; do
  arguments=
  if [ "$trouble" = hangs ]; then
    case $module in
      softdog.ko) arguments='soft_margin=4 nowayout=1' ;;
      i6300esb.ko) arguments='heartbeat=8 nowayout=1' ;;
    esac
  fi
  busybox insmod "/lib/guest-modules/$module" $arguments || say "no module $module"
done </lib/guest-modules/order
if [ "$trouble" = hangs ]; then
  exec 9>/dev/watchdog
  say "release $release: hangs"
  while :; do busybox sleep 60; done
fi

busybox ip link set lo up
busybox ip link set eth0 up
busybox ip addr add 10.0.2.15/24 dev eth0
busybox ip route add default via 10.0.2.2
mount -t ext4 /dev/nvme0n1p4 /data || say "no data partition"
if [ -e /data/boot-partition ]; then
  mount -t "$(busybox cat /data/boot-partition)" /dev/nvme0n1p1 /boot || say "no boot partition"
fi

say "release $release runs the agent"
while :; do
  python3 -m agent.cli --config /data/agent.toml run
  status=$?
  say "the agent ended with $status"
  [ $status = 75 ] && break
  busybox sleep 1
done
[ -e /data/boot-partition ] && busybox umount /boot
busybox umount /data
busybox reboot -f
