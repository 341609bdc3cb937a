#!/bin/sh
# Build libnfc with its PC/SC driver, which Debian's binary leaves out, from Debian's own source package, into the folder named.
# It needs gcc, libpcsclite-dev and the archive; nothing is installed, and nothing outside the folder is written.
set -eu

target=$1
[ -e "$target/libnfc.so.6" ] && exit 0
umask 022
mkdir -p "$target"
work=$(mktemp -d "$target/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

# The machine's own archives, as sources of sources.
mkdir -p lists/partial cache/archives/partial sources
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    if grep -qs 'debian' "$list"; then
        sed -e 's/^Types: *deb$/Types: deb-src/' -e 's/^deb /deb-src /' "$list" > "sources/$(basename "$list")"
    fi
done
apt() {
    timeout 60 apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/sources" -o "Dir::State::lists=$work/lists" \
        -o "Dir::Cache=$work/cache" -o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=1 "$@"
}
apt update || true # another archive of the machine's may have no sources
apt source --download-only libnfc=1.8.0-2
tar -xzf libnfc_1.8.0.orig.tar.gz --strip-components=1

gcc -O1 -w -fPIC -shared -D_GNU_SOURCE -DENVVARS -DLOG -DDRIVER_PCSC_ENABLED -DHAVE_PCSC -DPACKAGE_VERSION='"1.8.0"' \
    -DSYSCONFDIR='"/etc"' -Iinclude -Ilibnfc -I/usr/include/PCSC -Wl,-soname,libnfc.so.6 -o "$target/new.so" \
    libnfc/conf.c libnfc/iso14443-subr.c libnfc/log.c libnfc/log-internal.c libnfc/mirror-subr.c libnfc/nfc.c \
    libnfc/nfc-device.c libnfc/nfc-emulation.c libnfc/nfc-internal.c libnfc/target-subr.c libnfc/drivers/pcsc.c -lpcsclite
mv "$target/new.so" "$target/libnfc.so.6"
