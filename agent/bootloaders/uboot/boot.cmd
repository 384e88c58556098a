# otabridge: chooses slot a or b, counts boots of a slot on trial before it makes them, and falls back.
#
# Compile: mkimage -A arm64 -T script -C none -d boot.cmd boot.scr   (-A arm for 32 bits), and have bootcmd source it.
# docs/how-to/prepare-the-boot-loader.md says what to set, and why.
#
# What is remembered: otabridge_default and otabridge_trial (a, b or nothing), otabridge_unbootable (the same),
# upgrade_available (1: boots are counted), bootcount, bootlimit. Nothing else is taken from the environment on the disk.

# --- The board. Each may be set in U-Boot's own environment, as otabridge_...; what is not set there is said here. -----
# Where the slots are, as `load` names them (partitions in hexadecimal), and as Linux does.
if test -n "${otabridge_prepare}"; then setenv ob_prepare "${otabridge_prepare}"; else setenv ob_prepare 'nvme scan; nvme device 0'; fi
if test -n "${otabridge_interface}"; then setenv ob_interface "${otabridge_interface}"; else setenv ob_interface nvme; fi
if test -n "${otabridge_device}"; then setenv ob_device "${otabridge_device}"; else setenv ob_device 0; fi
if test -n "${otabridge_part_a}"; then setenv ob_part_a "${otabridge_part_a}"; else setenv ob_part_a 2; fi
if test -n "${otabridge_part_b}"; then setenv ob_part_b "${otabridge_part_b}"; else setenv ob_part_b 3; fi
if test -n "${otabridge_root_a}"; then setenv ob_root_a "${otabridge_root_a}"; else setenv ob_root_a /dev/nvme0n1p2; fi
if test -n "${otabridge_root_b}"; then setenv ob_root_b "${otabridge_root_b}"; else setenv ob_root_b /dev/nvme0n1p3; fi
# What is started: the kernel in the slot, a device tree in the slot (empty: the firmware's at fdt_addr), how, with what.
if test -n "${otabridge_kernel}"; then setenv ob_kernel "${otabridge_kernel}"; else setenv ob_kernel /boot/Image; fi
if test -n "${otabridge_boot}"; then setenv ob_boot "${otabridge_boot}"; else setenv ob_boot 'booti ${kernel_addr_r} - ${ob_fdt}'; fi
if test -n "${otabridge_args}"; then setenv ob_args "${otabridge_args}"; else setenv ob_args 'ro rootwait panic=10'; fi
# Where the environment is: `disk`, two raw copies on the same disk in blocks of 512 bytes, for any U-Boot; or `saveenv`,
# U-Boot's own, which has to be redundant. Who counts: `script`, or `uboot` where CONFIG_BOOTCOUNT_LIMIT is set.
if test -n "${otabridge_store}"; then setenv ob_store "${otabridge_store}"; else setenv ob_store disk; fi
if test -n "${otabridge_env_a}"; then setenv ob_env_a "${otabridge_env_a}"; else setenv ob_env_a 0x800; fi
if test -n "${otabridge_env_b}"; then setenv ob_env_b "${otabridge_env_b}"; else setenv ob_env_b 0x820; fi
if test -n "${otabridge_env_blocks}"; then setenv ob_env_blocks "${otabridge_env_blocks}"; else setenv ob_env_blocks 0x20; fi
if test -n "${otabridge_ram}"; then setenv ob_ram "${otabridge_ram}"; else setenv ob_ram 0x44000000; fi
if test -n "${otabridge_counter}"; then setenv ob_counter "${otabridge_counter}"; else setenv ob_counter script; fi
# A U-Boot that only is said to count would leave a trial without an end.
if test "${ob_counter}" = uboot; then if test "${ob_store}" = saveenv && bootcount print; then echo "otabridge: U-Boot counts"; else setenv ob_counter script; fi; fi
# otabridge_fdt: a device tree in the slot. otabridge_watchdog: a command that starts the hardware's watchdog.
# otabridge_count_default=1: boots of the default slot are counted as well, until the agent finds it to run well.

# --- The environment on the disk: in each copy CRC-32 of the data, a flag that grows by 1 (modulo 256), the data. ------
setexpr ob_bytes ${ob_env_blocks} * 0x200
setexpr ob_length ${ob_bytes} - 5
setenv ob_copy_a ${ob_ram}
setexpr ob_copy_b ${ob_copy_a} + ${ob_bytes}
setexpr ob_sum ${ob_copy_b} + ${ob_bytes}
setexpr ob_turned ${ob_sum} + 8
setenv ob_state 'otabridge_default otabridge_trial otabridge_unbootable upgrade_available bootcount bootlimit'
# `crc32` stores the highest byte first, the copies begin with the lowest.
setenv ob_checksum 'setexpr ob_p ${ob_e} + 5; crc32 ${ob_p} ${ob_length} ${ob_sum}; for ob_i in 0 1 2 3; do setexpr ob_x ${ob_sum} + ${ob_i}; setexpr ob_y ${ob_turned} + 3; setexpr ob_y ${ob_y} - ${ob_i}; cp.b ${ob_x} ${ob_y} 1; done'
# Memory may hold what an earlier boot read: it is wiped before.
setenv ob_read 'mw.b ${ob_e} 0 ${ob_bytes}; ${ob_interface} read ${ob_e} ${ob_at} ${ob_env_blocks} && run ob_checksum && cmp.b ${ob_e} ${ob_turned} 4'
setenv ob_load_disk 'setenv ob_newest none; setenv ob_flag 0; setenv ob_e ${ob_copy_a}; setenv ob_at ${ob_env_a}; if run ob_read; then setenv ob_newest a; setexpr ob_x ${ob_e} + 4; setexpr.b ob_flag *${ob_x}; fi; setenv ob_e ${ob_copy_b}; setenv ob_at ${ob_env_b}; if run ob_read; then setexpr ob_x ${ob_e} + 4; setexpr.b ob_flag_b *${ob_x}; setexpr ob_d ${ob_flag_b} - ${ob_flag}; setexpr ob_d ${ob_d} \\& 0xff; if test ${ob_newest} = none; then setenv ob_d 1; fi; if itest ${ob_d} -gt 0 && itest ${ob_d} -lt 0x80; then setenv ob_newest b; setenv ob_flag ${ob_flag_b}; fi; fi; for ob_v in ${ob_state}; do setenv ${ob_v}; done; if test ${ob_newest} = a; then setexpr ob_p ${ob_copy_a} + 5; env import -b ${ob_p} ${ob_length} ${ob_state}; fi; if test ${ob_newest} = b; then setexpr ob_p ${ob_copy_b} + 5; env import -b ${ob_p} ${ob_length} ${ob_state}; fi'
# The older copy is overwritten, the newer one stays as it is.
setenv ob_save_disk 'setenv ob_e ${ob_copy_a}; setenv ob_at ${ob_env_a}; if test ${ob_newest} = a; then setenv ob_e ${ob_copy_b}; setenv ob_at ${ob_env_b}; fi; mw.b ${ob_e} 0 ${ob_bytes}; setexpr ob_p ${ob_e} + 5; env export -b -s ${ob_length} ${ob_p} ${ob_state}; setexpr ob_flag ${ob_flag} + 1; setexpr ob_flag ${ob_flag} \\& 0xff; setexpr ob_x ${ob_e} + 4; mw.b ${ob_x} ${ob_flag}; run ob_checksum; cp.b ${ob_turned} ${ob_e} 4; if test ${ob_newest} = a; then setenv ob_newest b; else setenv ob_newest a; fi; ${ob_interface} write ${ob_e} ${ob_at} ${ob_env_blocks}'
setenv ob_load_saveenv true
setenv ob_save_saveenv saveenv

# --- The decision. ---------------------------------------------------------------------------------------------------
setenv ob_other_of 'if test "${ob_of}" = a; then setenv ob_other b; else setenv ob_other a; fi'
# Without an environment nobody knows which slot is whole: a first, then b, in turns, each so many times.
setenv ob_sanitise 'if test "${otabridge_default}" != a && test "${otabridge_default}" != b; then echo "otabridge: no environment, counting from slot a"; setenv otabridge_default a; setenv otabridge_trial; setenv otabridge_unbootable; setenv upgrade_available 1; setenv bootcount 0; fi; setenv ob_of ${otabridge_default}; run ob_other_of; if test "${otabridge_trial}" != ${ob_other} || test "${upgrade_available}" != 1; then setenv otabridge_trial; fi; if test -z "${bootcount}"; then setenv bootcount 0; fi; if test -z "${bootlimit}"; then setenv bootlimit 3; fi'
# U-Boot has counted already where it does, but for the boots that it was not told to count. It does not say whether the
# count could be saved: that of a trial is saved again.
setenv ob_count 'setenv ob_mine 0; if test "${ob_counter}" != uboot; then setenv ob_mine 1; fi; if test "${upgrade_available}" != 1; then setenv upgrade_available 1; setenv bootcount 0; setenv ob_mine 1; fi; if test ${ob_mine} = 1 || itest ${bootcount} -eq 0; then setexpr bootcount ${bootcount} + 1; setenv ob_changed 1; fi; if test -n "${otabridge_trial}"; then setenv ob_changed 1; fi; if itest ${bootcount} -gt ${bootlimit}; then run ob_give_up; fi'
setenv ob_give_up 'setenv ob_changed 1; if test -n "${otabridge_trial}"; then echo "otabridge: giving up slot ${otabridge_trial}"; setenv otabridge_unbootable ${otabridge_trial}; setenv otabridge_trial; setenv upgrade_available 0; setenv bootcount 0; else setenv bootcount 1; if test "${otabridge_unbootable}" != ${ob_other}; then echo "otabridge: slot ${otabridge_default} does not come up, slot ${ob_other} is the default"; setenv otabridge_default ${ob_other}; fi; fi'
setenv ob_start 'if test ${ob_slot} = a; then setenv ob_part ${ob_part_a}; setenv ob_root ${ob_root_a}; else setenv ob_part ${ob_part_b}; setenv ob_root ${ob_root_b}; fi; echo "otabridge: booting slot ${ob_slot}, default ${otabridge_default}, trial ${otabridge_trial}, bootcount ${bootcount}"; setenv bootargs "root=${ob_root} ${ob_args} otabridge.slot=${ob_slot}"; run ob_load_kernel && run ob_boot; echo "otabridge: slot ${ob_slot} cannot be started"'
setenv ob_load_kernel 'setenv ob_fdt ${fdt_addr}; if test -n "${otabridge_fdt}"; then setenv ob_fdt ${fdt_addr_r}; load ${ob_interface} ${ob_device}:${ob_part} ${ob_fdt} ${otabridge_fdt} || setenv ob_fdt; fi; test -n "${ob_fdt}" && load ${ob_interface} ${ob_device}:${ob_part} ${kernel_addr_r} ${ob_kernel}'

run ob_prepare
run ob_load_${ob_store}
setenv ob_changed 0
run ob_sanitise
if test "${upgrade_available}" = 1 || test "${otabridge_count_default}" = 1; then run ob_count; fi
setenv ob_slot ${otabridge_default}
if test -n "${otabridge_trial}"; then setenv ob_slot ${otabridge_trial}; fi
# A trial whose boots cannot be counted would never end: then the default is booted.
if test ${ob_changed} = 1; then
  if run ob_save_${ob_store}; then echo "otabridge: counted"; else
    echo "otabridge: the environment cannot be written"
    setenv ob_slot ${otabridge_default}
  fi
fi
if test -n "${otabridge_watchdog}"; then run otabridge_watchdog; fi
run ob_start

# --- The kernel could not be loaded, or would not start. --------------------------------------------------------------
if test -n "${otabridge_trial}"; then
  run ob_give_up
  run ob_save_${ob_store}
  setenv ob_slot ${otabridge_default}
  run ob_start
fi
setenv ob_of ${otabridge_default}
run ob_other_of
if test "${otabridge_unbootable}" != ${ob_other}; then
  setenv ob_slot ${ob_other}
  run ob_start
fi
echo "otabridge: no slot can be started"
sleep 5
reset
