#!/usr/bin/env bash
# Runs tests of the node in a virtual machine with Debian's own kernel and pure cgroup v2, whatever this machine has:
#
#   tests/vm/run.sh                             host, node-runtime and node-agent
#   tests/vm/run.sh node-runtime oom_killed     one crate, and which of its tests
#
# The machine's root is this machine's, read-only, with memory over what tests write to: so it has the same programs, and the tests that
# were just built. QEMU emulates the processor, which takes ten times as long as KNARR_VM_KVM=1 where that works. Needs root (as the tests do) and
# Debian's packages: what is missing is installed.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=target/vm
mkdir -p "$work"

setup() {
    local missing=()
    for package in qemu-system-x86 busybox-static nftables iproute2; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        echo "==> installing ${missing[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi
    # The kernel is only unpacked: this machine goes on with its own.
    if ! compgen -G "$work/kernel/boot/vmlinuz-*" >/dev/null; then
        local package
        package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
        [ -n "$package" ] || { apt-get update -qq; package=$(apt-cache depends linux-image-amd64 |
            sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1); }
        echo "==> unpacking $package"
        (cd "$work" && apt-get download -qq "$package" && dpkg-deb -x "$package"_*.deb kernel && rm "$package"_*.deb)
    fi
}

# What the kernel has as modules and the node needs: the root's file system first.
modules=(crc32c_generic virtio_pci 9pnet_virtio 9p overlay veth vxlan bridge br_netfilter nf_tables nft_chain_nat nft_nat nft_masq nft_redir nft_ct
    nft_fib nft_fib_inet nft_fib_ipv4 nft_fib_ipv6 nft_numgen nft_hash nft_reject nft_reject_inet nft_limit nf_conntrack_netlink)

# The first root: busybox, the modules, and a program that mounts this machine's root.
initramfs() {
    local version root=$work/root modules_dir
    version=$(basename "$work"/kernel/boot/vmlinuz-* | sed 's/^vmlinuz-//')
    /bin/busybox depmod -b "$work/kernel" "$version"
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
        echo 'mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro host /new || exec sh'
        echo 'for place in tmp run var/lib var/log var/tmp; do mount -t tmpfs -o mode=1777 tmpfs /new/$place; done'
        echo 'mount --move /proc /new/proc; mount --move /sys /new/sys; mount --move /dev /new/dev'
        echo 'mkdir -p /new/dev/pts /new/dev/shm; mount -t devpts devpts /new/dev/pts; mount -t tmpfs tmpfs /new/dev/shm'
        echo 'mount -t cgroup2 cgroup2 /new/sys/fs/cgroup'
        echo "exec switch_root /new /bin/bash $PWD/tests/vm/inside.sh $PWD/$work/tests"
    } >"$root/init"
    chmod 755 "$root/init"
    (cd "$root" && find . | /bin/busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$work/initramfs.gz"
}

# Builds the crates' tests and lists them: one line each, its directory, its program and its arguments.
build() {
    local crates=("$@")
    : >"$work/tests"
    local crate
    for crate in "${crates[@]}"; do
        local directory
        directory=$PWD/$(dirname "$(grep -l "^name = \"$crate\"" crates/*/Cargo.toml crates/*/*/Cargo.toml)")
        cargo test -q -p "$crate" --no-run --message-format=json |
            sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | grep '/deps/' | sort -u |
            while read -r program; do
                # `cd` there, as cargo does.
                echo "$directory $program ${filter:-}"
            done >>"$work/tests"
    done
}

filter=
crates=(host node-runtime node-agent)
if [ $# -gt 0 ]; then
    crates=("$1")
    shift
    filter=$*
fi
setup
build "${crates[@]}"
initramfs

# A /dev/kvm that is there need not work, and QEMU then dies instead of emulating: so it is asked for.
acceleration=(-accel "tcg,thread=multi")
[ -n "${KNARR_VM_KVM:-}" ] && acceleration=(-accel kvm)
echo "==> booting $(basename "$work"/kernel/boot/vmlinuz-*)"
timeout "${KNARR_VM_SECONDS:-3000}" qemu-system-x86_64 "${acceleration[@]}" -cpu max -smp 2 -m "${KNARR_VM_MEMORY:-3072}" \
    -nodefaults -no-user-config -display none -no-reboot -serial stdio -device virtio-rng-pci \
    -virtfs "local,path=/,mount_tag=host,readonly=on,security_model=none,multidevs=remap" \
    -kernel "$work"/kernel/boot/vmlinuz-* -initrd "$work/initramfs.gz" \
    -append "console=ttyS0 quiet panic=-1 cgroup_no_v1=all rdinit=/init" </dev/null | tee "$work/log"
grep -q '^vm: everything passed' <(tr -d '\r' <"$work/log")
