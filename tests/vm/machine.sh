# What `run.sh` and `service.sh` share: Debian's kernel, the first root that loads its modules, and QEMU. Sourced by them, from the
# checkout's root; nothing happens here by itself. Needs root and Debian's package tools.
# shellcheck shell=bash

work=target/vm
mkdir -p "$work"

# Installs those of these packages that are missing.
packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        echo "==> installing ${missing[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi
}

# Debian's kernel, only unpacked: this machine goes on with its own.
kernel() {
    if compgen -G "$work/kernel/boot/vmlinuz-*" >/dev/null; then
        return
    fi
    local package
    package=$(kernel_package)
    [ -n "$package" ] || { apt-get update -qq; package=$(kernel_package); }
    echo "==> unpacking $package"
    # It is there once it is whole.
    (cd "$work" && rm -rf kernel.new && apt-get download -qq "$package" && dpkg-deb -x "$package"_*.deb kernel.new && rm "$package"_*.deb &&
        /bin/busybox depmod -b kernel.new "${package#linux-image-}" && mv kernel.new kernel)
}

kernel_package() {
    apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

# What the kernel has as modules and the node needs: the root's file system first.
modules=(crc32c_generic virtio_pci 9pnet_virtio 9p virtio_blk ext4 overlay veth vxlan dummy bridge br_netfilter nf_tables nft_chain_nat nft_nat
    nft_masq nft_redir nft_ct nft_fib nft_fib_inet nft_fib_ipv4 nft_fib_ipv6 nft_numgen nft_hash nft_reject nft_reject_inet nft_reject_ipv4 nft_reject_ipv6 nft_limit
    nf_conntrack_netlink)

# Makes the first root at a path: busybox, the modules, and a program that loads them and goes on as standard input says.
initramfs() {
    local version root=$work/root modules_dir
    version=$(basename "$work"/kernel/boot/vmlinuz-* | sed 's/^vmlinuz-//')
    modules_dir=$work/kernel/lib/modules/$version
    rm -rf "$root"
    mkdir -p "$root"/{bin,proc,sys,dev,new} "$root/lib/modules/$version"
    cp /bin/busybox "$root/bin/busybox"
    cp "$modules_dir"/modules.dep "$root/lib/modules/$version/"
    local name path
    for name in "${modules[@]}"; do
        for path in $(sed -n "s|^\([^:]*/$name\.ko\): *\(.*\)|\1 \2|p" "$modules_dir/modules.dep"); do
            (cd "$modules_dir" && cp --parents "$path" "$OLDPWD/$root/lib/modules/$version/")
        done
    done
    {
        echo '#!/bin/busybox sh'
        echo 'export PATH=/bin; /bin/busybox --install -s /bin'
        echo 'mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev'
        for name in "${modules[@]}"; do echo "modprobe $name || echo \"no module $name\""; done
        cat
    } >"$root/init"
    chmod 755 "$root/init"
    (cd "$root" && find . | /bin/busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$1"
}

# Boots with a first root and more of the kernel's words, and returns once the machine is off or boots again. More arguments are QEMU's.
boot() {
    local initramfs=$1 words=$2
    shift 2
    # A /dev/kvm that is there need not work, and QEMU then dies instead of emulating: so it is asked for.
    local acceleration=(-accel "tcg,thread=multi")
    [ -n "${KNARR_VM_KVM:-}" ] && acceleration=(-accel kvm)
    # An emulated timer may be late, which says nothing of the machine: the kernel must not give up for it.
    words="no_timer_check $words"
    echo "==> booting $(basename "$work"/kernel/boot/vmlinuz-*)"
    timeout "${KNARR_VM_SECONDS:-3000}" qemu-system-x86_64 "${acceleration[@]}" -cpu max -smp 2 -m "${KNARR_VM_MEMORY:-3072}" \
        -nodefaults -no-user-config -display none -no-reboot -serial stdio -device virtio-rng-pci "$@" \
        -kernel "$work"/kernel/boot/vmlinuz-* -initrd "$initramfs" \
        -append "console=ttyS0 quiet panic=-1 cgroup_no_v1=all rdinit=/init $words" </dev/null
}
