#!/bin/sh
# Draws the secrets of compose.yaml into ./secrets. A secret that is there already stays.
set -eu
cd "$(dirname "$0")"

# The folder is for its owner alone. The files in it are readable by all, because Compose mounts them as
# they are and the users in the containers are others.
umask 077
mkdir -p secrets
umask 022

for name in webhook_secret admin_token viewer_token postgres_password grafana_password; do
  [ -s "secrets/$name" ] || openssl rand -hex 32 > "secrets/$name"
done
[ -s secrets/database_url ] ||
  printf 'postgres://cxbridge:%s@postgres:5432/cxbridge?sslmode=disable\n' "$(cat secrets/postgres_password)" > secrets/database_url
