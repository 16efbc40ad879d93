#!/usr/bin/env bash
# Runs tests of the node in a virtual machine with Debian's own kernel and pure cgroup v2, whatever this machine has:
#
#   tests/vm/run.sh                             host, node-runtime and node-agent
#   tests/vm/run.sh node-runtime oom_killed     one crate, and which of its tests
#   tests/vm/run.sh service                     `knarr service` on a live systemd: see service.sh
#
# The machine's root is this machine's, read-only, with memory over what tests write to: so it has the same programs, and the tests that
# were just built. QEMU emulates the processor, which takes ten times as long as KNARR_VM_KVM=1 where that works. Needs root (as the tests do) and
# Debian's packages: what is missing is installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "${1:-}" = service ] && exec tests/vm/service.sh
# shellcheck source=tests/vm/machine.sh
. tests/vm/machine.sh

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
packages qemu-system-x86 busybox-static nftables iproute2
kernel
build "${crates[@]}"
initramfs "$work/initramfs.gz" <<END
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro host /new || exec sh
for place in tmp run var/lib var/log var/tmp; do mount -t tmpfs -o mode=1777 tmpfs /new/\$place; done
mount --move /proc /new/proc; mount --move /sys /new/sys; mount --move /dev /new/dev
mkdir -p /new/dev/pts /new/dev/shm; mount -t devpts devpts /new/dev/pts; mount -t tmpfs tmpfs /new/dev/shm
mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
exec switch_root /new /bin/bash $PWD/tests/vm/inside.sh $PWD/$work/tests
END
boot "$work/initramfs.gz" "" -virtfs "local,path=/,mount_tag=host,readonly=on,security_model=none,multidevs=remap" | tee "$work/log"
grep -q '^vm: everything passed' <(tr -d '\r' <"$work/log")
