#!/usr/bin/env bash
# Packages examples/hello beside Debian's busybox-static as the image example.com/shop:1 of the node (TAG: another name; PROFILE: the
# profile to build it with). Arguments go to `knarr image build`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=x86_64-unknown-linux-gnu
profile=${PROFILE:-release}
(cd "$here/../.." && cargo build --quiet --profile "$profile" -p hello)
folder=$profile
[ "$profile" = dev ] && folder=debug
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/tmp"
cp "${CARGO_TARGET_DIR:-$here/../../target}/$target/$folder/hello" "$root/bin/hello"
cp /bin/busybox "$root/bin/busybox"
for program in sh wget echo cat ls sleep env tty touch; do
    ln -s busybox "$root/bin/$program"
done
knarr image build --from "$root" --tag "${TAG:-example.com/shop:1}" --cmd sh "$@"
