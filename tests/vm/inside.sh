#!/bin/bash
# What the virtual machine runs in place of an init system: the tests that are listed in a file, and then its own end.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root RUST_BACKTRACE=0 RUST_TEST_THREADS=2 KNARR_TEST_PATIENCE=600
ip link set lo up
hostname vm
mkdir -p /run/lock
echo "vm: $(uname -r), controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
failed=0
while read -r directory program filter; do
    echo "vm: $(basename "$program") $filter"
    # shellcheck disable=SC2086 # the filter is several words
    (cd "$directory" && "$program" --color never $filter) || failed=1
done <"$1"
[ "$failed" = 0 ] && echo "vm: everything passed" || echo "vm: something failed"
sync
echo o >/proc/sysrq-trigger
# Until it has happened; no program can be started any more.
while :; do :; done
