"""The machines that are emulated, as Debian, Python's wheels and the kernel name their parts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Platform:
    """`kernel` is a package and the pattern of what it depends on, `kernel_file` where the boot loader finds it.

    `early` modules come before the root file system, by an initial RAM disk, if there are any; `modules` after it.
    """

    architecture: str
    libraries: str
    wheels: tuple[str, ...]
    kernel: tuple[str, str]
    kernel_file: str
    modules: tuple[str, ...]
    early: tuple[str, ...] = ()

    @property
    def ramdisk_file(self) -> str:
        """The initial RAM disk in a slot, "" where the kernel needs none."""
        return "boot/initrd.img" if self.early else ""


NETWORK = ("virtio_pci", "virtio_net")
ARM64 = Platform(
    "arm64",
    "aarch64-linux-gnu",
    ("manylinux2014_aarch64", "manylinux_2_28_aarch64", "manylinux_2_34_aarch64"),
    ("linux-image-cloud-arm64", r"linux-image-[0-9.-]+-cloud-arm64"),
    "boot/Image",
    (*NETWORK, "softdog"),
)
"""Of Debian's kernels the cloud's have NVMe and ext4 built in, so that no initial RAM disk is needed."""
AMD64 = Platform(
    "amd64",
    "x86_64-linux-gnu",
    ("manylinux2014_x86_64", "manylinux_2_28_x86_64", "manylinux_2_34_x86_64"),
    ("linux-image-amd64", r"linux-image-[0-9.-]+-amd64"),
    "boot/vmlinuz",
    (*NETWORK, "i6300esb", "vfat", "nls_cp437", "nls_ascii"),
    ("nvme", "crc32c_generic", "ext4"),
)
"""The kernel of every PC, which has the driver of a watchdog that QEMU plays."""
