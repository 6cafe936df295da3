#!/usr/bin/env bash
# Have Chromium for the tests of the page and its screenshots: installed from the distribution where we may, else said.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then
        exit 0
    fi
done

say() {
    echo "error: no Chromium found, and the page is tested in one. $1" >&2
    echo "       On Debian: apt-get install chromium. Elsewhere: any Chromium or Chrome in PATH." >&2
    exit 1
}

as_root=()
if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || say "It cannot be installed from here: this is not root, and sudo asks for a password."
    as_root=(sudo -n)
fi
command -v apt-get >/dev/null || say "It cannot be installed from here: there is no apt-get."

echo "Installing chromium with apt-get ..." >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq >&2 || true
"${as_root[@]}" apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >&2 ||
    say "apt-get could not install it."
command -v chromium >/dev/null || say "This distribution's package called chromium has none in it."
