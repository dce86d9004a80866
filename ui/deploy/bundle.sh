#!/bin/sh
# bundle.sh PYTHON ARCHIVE: makes one archive with which Wenju is installed where there is no network.
# In it: wheels of Wenju and of everything it needs, in the tested versions, their digests, install.sh, a Makefile,
# and the examples for systemd and nginx. Same Python version and processor on both machines.
set -eu
python=$1 archive=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bundle=$work/wenju
mkdir -p "$bundle/wheels" "$(dirname "$archive")"

"$python" -m pip wheel --quiet --no-deps --wheel-dir "$bundle/wheels" "$root"
# Built where they come as source only; taken as they are otherwise.
"$python" -m pip wheel --quiet --constraint "$root/.ci/constraints.txt" --wheel-dir "$bundle/wheels" "$bundle"/wheels/wenju-*.whl

cp "$root/ui/deploy/install.sh" "$root/ui/deploy/wenju.service" "$root/ui/deploy/nginx.conf" "$bundle/"
printf 'install-offline:\n\tsh install.sh $(or $(DEST),.venv)\n.PHONY: install-offline\n' > "$bundle/Makefile"
(cd "$bundle" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum > SHA256SUMS)
tar --sort=name --owner=0 --group=0 --numeric-owner -C "$work" -cf "$archive" wenju
echo "$archive: $(ls "$bundle/wheels" | wc -l) wheels, $(du -m "$archive" | cut -f1) MB"
