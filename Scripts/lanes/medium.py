"""A file system in an image file whose power can be cut, and boots that have names."""

import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
import time
import uuid
from pathlib import Path

from truth import Lane, Skipped, need

# EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN: _IOR('X', 125, u32); 2: what is in memory stays unwritten.
SHUTDOWN = 0x8004587D
WITHOUT_FLUSH = 2
BOOT = "/proc/sys/kernel/random/boot_id"


def command(*words, check: bool = True) -> subprocess.CompletedProcess:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120)
    if check and done.returncode != 0:
        raise OSError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done


class Medium:
    """An image of a file system, mounted through a loop device."""

    SIZES = {"ext4": 256 << 20, "xfs": 384 << 20}

    def __init__(self, lane: Lane, kind: str):
        self.kind = kind
        self.image = lane.folder / f"{kind}.image"
        self.mount_point = lane.folder / kind
        self.boot_file = lane.folder / "boot"
        self.device = ""
        self.is_mounted = False
        self.mount_point.mkdir()
        lane.cleanup.callback(self.remove)
        self.boot()

    @staticmethod
    def expect_possible():
        """Skips the lane where images cannot be mounted."""
        if os.geteuid() != 0:
            raise Skipped("mounting an image needs root")
        need("losetup", "unshare", "mkfs.ext4", "cc")
        if not os.path.exists("/dev/loop-control"):
            raise Skipped("there are no loop devices")
        probe = command("unshare", "-m", "true", check=False)
        if probe.returncode != 0:
            raise Skipped(f"no mount can be made: {probe.stderr.strip()}")

    @staticmethod
    def kinds(lane: Lane) -> list[str]:
        """ext4, and XFS where there is one."""
        Medium.expect_possible()
        known = Path("/proc/filesystems").read_text().split()
        kinds = []
        for kind in ("ext4", "xfs"):
            try:
                need(f"mkfs.{kind}")
                if kind not in known and command("modprobe", kind, check=False).returncode != 0:
                    raise Skipped(f"the kernel has no {kind}")
                kinds.append(kind)
            except Skipped as reason:
                lane.tell(f"{kind} is left out: {reason}", always=True)
        if not kinds:
            raise Skipped("there is neither ext4 nor XFS")
        return kinds

    def make(self):
        """A new, empty file system, mounted."""
        self.unmount()
        self.image.unlink(missing_ok=True)
        with open(self.image, "wb") as file:
            file.truncate(self.SIZES[self.kind])
        quiet = ["-q", "-F"] if self.kind == "ext4" else ["-q", "-f"]
        command(f"mkfs.{self.kind}", *quiet, self.image)
        try:
            self.device = command("losetup", "--find", "--show", self.image).stdout.strip()
        except OSError as error:
            raise Skipped(str(error)) from None
        self.mount()

    def mount(self):
        done = command("mount", "-t", self.kind, self.device, self.mount_point, check=False)
        if done.returncode != 0:
            # Not the store's fault, whatever it is: mend the file system and go on.
            repair = ["fsck.ext4", "-y"] if self.kind == "ext4" else ["xfs_repair"]
            command(*repair, self.device, check=False)
            command("mount", "-t", self.kind, self.device, self.mount_point)
        self.is_mounted = True

    def cut(self):
        """Cuts the power: from here on nothing reaches the image."""
        descriptor = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))
        finally:
            os.close(descriptor)

    def restart(self):
        """After a cut: what the image has, and another boot."""
        self.unmount(keeps_device=True)
        self.mount()
        self.boot()

    def boot(self):
        """Recovery asks whether it is still the boot of before: a cut begins another."""
        self.boot_file.write_text(f"{uuid.uuid4()}\n")

    def prefix(self) -> list[str]:
        """What stands before a program that is to see this boot's name."""
        script = f'mount --bind "$0" {BOOT} && exec "$@"'
        return ["unshare", "-m", "sh", "-c", script, str(self.boot_file)]

    def unmount(self, keeps_device: bool = False):
        if self.is_mounted:
            for attempt in range(50):
                if command("umount", self.mount_point, check=False).returncode == 0:
                    break
                time.sleep(0.1)
            else:
                command("umount", "-l", self.mount_point, check=False)
                raise OSError(f"{self.mount_point} stays busy")
            self.is_mounted = False
            self.wait_until_gone()
        if self.device and not keeps_device:
            command("losetup", "-d", self.device, check=False)
            self.device = ""

    def wait_until_gone(self):
        """A process just killed may hold it a moment longer: mounted then, it would be the one cut off."""
        state = Path(f"/sys/fs/{self.kind}/{os.path.basename(self.device)}")
        for attempt in range(100):
            if not state.exists():
                return
            time.sleep(0.05)
        raise OSError(f"{self.device} stays in use")

    def remove(self):
        self.unmount()

    def write_back(self, chance, store: Path):
        """What a kernel does at any time: it writes some file back that nobody asked to have synced."""
        files = [path for path in store.rglob("*") if path.is_file()]
        # Segments more often: there some pages may come before those in front of them.
        files = chance.choice([files, [path for path in files if path.suffix == ".log"]])
        for path in chance.sample(files, min(len(files), chance.choice([1, 1, 3]))):
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except OSError:
                continue
            try:
                if chance.random() < 0.3:
                    os.fdatasync(descriptor)
                else:
                    page = chance.randrange(os.fstat(descriptor).st_size // 4096 + 1)
                    write_range(descriptor, page * 4096, chance.choice([1, 1, 4, 16]) * 4096)
            except OSError:
                pass
            finally:
                os.close(descriptor)

    def write_all_back(self):
        """What a kernel does every few seconds."""
        descriptor = os.open(self.mount_point, os.O_RDONLY)
        try:
            LIBC.syncfs(descriptor)
        finally:
            os.close(descriptor)


LIBC = ctypes.CDLL(None, use_errno=True)


def write_range(descriptor: int, position: int, size: int):
    """sync_file_range(2): some pages, and no word to the file system."""
    if hasattr(LIBC, "sync_file_range"):
        LIBC.sync_file_range(descriptor, ctypes.c_int64(position), ctypes.c_int64(size), 7)


def keep_store(lane: Lane, store: Path):
    """A copy of a store that failed: the image is unmounted at the end."""
    if store.exists():
        ignored = shutil.ignore_patterns("control.sock")
        shutil.copytree(store, lane.folder / "failed-store", ignore=ignored, dirs_exist_ok=True)
