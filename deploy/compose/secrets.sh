#!/bin/sh
# Create ./secrets for docker-compose.yml: new passwords, and a file for AWS keys. Existing files are
# kept.
#
# Only you can enter the folder. Everybody can read the files in it, because a container's user is not
# you, and sees the mounted file without the folder.
set -eu
cd "$(dirname "$0")/../.."
umask 022
mkdir -p secrets
chmod 700 secrets

password() { head -c 24 /dev/urandom | base64 | tr +/ -_; }

if [ ! -e secrets/redis.conf ] || [ ! -e secrets/broker-url ]; then
    new=$(password)
    echo "requirepass $new" >secrets/redis.conf
    echo "redis://:$new@redis:6379/0" >secrets/broker-url
fi
[ -e secrets/flower ] || echo "admin:$(password)" >secrets/flower
[ -e secrets/aws-credentials ] || cat >secrets/aws-credentials <<'TEXT'
# Keys for AWS, if the host has no role of its own:
# [default]
# aws_access_key_id = AKIA...
# aws_secret_access_key = ...
TEXT
echo "secrets/ is ready. Flower's user and password are in secrets/flower." >&2
