#!/usr/bin/env bash
# Proves `knarr service` on a live systemd: a virtual machine with a small Debian of its own on a disk, which systemd boots, and which
# boots a second time in the middle (`service-checks.sh` says what is checked). Called by `tests/vm/run.sh service`.
#
# The Debian is made once, below target/vm; the binary is the release's, or KNARR_VM_PROGRAM. (One that is not optimised is too slow for
# its clients where the processor is emulated.) Emulated, it takes seven minutes and more.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/vm/machine.sh
. tests/vm/machine.sh

debian=$work/debian disk=$work/disk
built=target/x86_64-unknown-linux-gnu/release/knarr

# The machine's system: systemd with udev and networkd, as a server has it, and what a node needs.
system() {
    if [ -e "$debian.done" ]; then
        return
    fi
    echo "==> making a small Debian"
    rm -rf "$debian"
    debootstrap --variant=minbase --include=systemd-sysv,udev,dbus,kmod,nftables,iproute2,busybox-static \
        bookworm "$debian" >"$work/debootstrap.log"
    rm -f "$debian"/var/cache/apt/archives/*.deb
    touch "$debian.done"
}

# Its kernel's modules, which are loaded when they are first asked for, its network, which leads nowhere, its checks, and the programs
# under test.
furnish() {
    local version
    version=$(basename "$work"/kernel/lib/modules/*)
    rm -rf "$debian/lib/modules"
    cp -al "$work/kernel/lib/modules" "$debian/lib/"
    chroot "$debian" depmod "$version"
    local units=$debian/etc/systemd/system
    mkdir -p "$units"/{multi-user,network-online}.target.wants "$debian/etc/systemd/network" "$debian/usr/local/lib/checks"
    echo vm >"$debian/etc/hostname"
    printf '[NetDev]\nName=uplink\nKind=dummy\n' >"$debian/etc/systemd/network/uplink.netdev"
    printf '[Match]\nName=uplink\n[Network]\nAddress=192.0.2.10/24\nGateway=192.0.2.1\n' >"$debian/etc/systemd/network/uplink.network"
    ln -sf /lib/systemd/system/systemd-networkd.service "$units/multi-user.target.wants/"
    ln -sf /lib/systemd/system/systemd-networkd-wait-online.service "$units/network-online.target.wants/"
    printf '%s\n' '[Unit]' 'Description=The checks of knarr service' '[Service]' Type=idle \
        'ExecStart=/bin/bash /usr/local/lib/checks/run' StandardOutput=tty StandardError=tty TTYPath=/dev/console \
        >"$units/checks.service"
    ln -sf ../checks.service "$units/multi-user.target.wants/"
    install -m 755 tests/vm/service-checks.sh "$debian/usr/local/lib/checks/run"
    install -m 755 -s "${KNARR_VM_PROGRAM:-$built}" "$debian/usr/local/bin/knarr"
    install -m 755 "$(command -v kubectl)" "$debian/usr/local/bin/kubectl"
}

packages qemu-system-x86 busybox-static debootstrap e2fsprogs binutils
kernel
[ -n "${KNARR_VM_PROGRAM:-}" ] || cargo build -q --release -p knarr
system
furnish
rm -f "$disk"
mkfs.ext4 -q -d "$debian" "$disk" 4G
initramfs "$work/service.gz" <<'END'
mount -t ext4 /dev/vda /new || exec sh
exec switch_root /new /lib/systemd/systemd
END

# One machine, turned on twice: the second time with what the first left on its disk.
words="systemd.mask=serial-getty@ttyS0.service systemd.show_status=0"
: >"$work/service.log"
for verdict in 'vm: boots again' 'vm: everything passed'; do
    boot "$work/service.gz" "$words" -drive "file=$disk,format=raw,if=virtio,cache=unsafe" | sed -u 's|\r||' | tee -a "$work/service.log"
    tail -n 20 "$work/service.log" | grep -q "^$verdict"
done
