#!/bin/sh
# install.sh FOLDER: a virtual environment with Wenju in FOLDER, from the wheels beside this file and nothing else.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if ! [ -d "$here/wheels" ]; then
    echo "这里没有 wheels 文件夹：请在 make bundle 打好的包里运行。" >&2
    exit 1
fi
(cd "$here" && sha256sum --quiet --check SHA256SUMS)
"${PYTHON:-python3}" -m venv "$1"
"$1/bin/python" -m pip install --quiet --no-index --no-cache-dir --disable-pip-version-check --find-links "$here/wheels" "$here"/wheels/wenju-*.whl
"$1/bin/wenju" --help > /dev/null
echo "装好了：$1/bin/wenju"
