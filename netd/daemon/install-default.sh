#!/bin/sh
# Defines the default network and marks it to be started, where there is none of that name yet:
# an install over an older one changes nothing. $1: the document, $2: the configuration folder.
set -e
dir="${DESTDIR}$2/networks"
[ -e "$dir/default.xml" ] && exit 0
mkdir -p "$dir/autostart"
install -m 0600 "$1" "$dir/default.xml"
ln -s ../default.xml "$dir/autostart/default.xml"
