#!/usr/bin/env bash
# Packages Debian's busybox-static as the image example.com/shop:1 of the node. Arguments go to `knarr image build`.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/tmp"
cp /bin/busybox "$root/bin/busybox"
for program in sh httpd wget echo cat ls sleep env; do
    ln -s busybox "$root/bin/$program"
done
knarr image build --from "$root" --tag example.com/shop:1 --cmd sh "$@"
