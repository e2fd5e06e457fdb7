#!/bin/sh
# Puts the secret, which comes as a file, behind the settings, which hold none, and starts the relay.
set -eu
: "${ALLOWED_PEERS:?the inner addresses that the relay may reach, separated by blanks}"
# As the worker reads it: without blanks and line ends around it, of a file that was written on Windows, say.
secret=$(sed 's/^[[:space:]]*//; s/[[:space:]]*$//' "${TURN_SECRET_FILE:-/run/secrets/turn_secret}")
case $secret in *[[:space:]]*) echo "the shared secret must be one line without blanks" >&2; exit 1 ;; esac
[ "${#secret}" -ge 16 ] || { echo "the shared secret has ${#secret} characters, at least 16 are needed" >&2; exit 1; }
umask 077
settings=$(mktemp "${TMPDIR:-/tmp}/turnserver.XXXXXX")
{
    cat "$(dirname "$0")/turnserver.conf"
    printf 'static-auth-secret=%s\n' "$secret"
    for peer in $ALLOWED_PEERS; do echo "allowed-peer-ip=$peer"; done
} > "$settings"
exec turnserver -c "$settings" "$@"
