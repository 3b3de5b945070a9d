#!/bin/sh
# Creates the secrets of compose.yaml in ./secrets. Existing secrets are kept.
set -eu
cd "$(dirname "$0")"

# Only the owner can enter the folder. The files in it are readable by all, because Compose mounts them with
# their permissions, and the containers run as other users.
umask 077
mkdir -p secrets
umask 022

for name in webhook_secret admin_token viewer_token postgres_password grafana_password; do
  [ -s "secrets/$name" ] || openssl rand -hex 32 > "secrets/$name"
done
[ -s secrets/database_url ] ||
  printf 'postgres://cxbridge:%s@postgres:5432/cxbridge?sslmode=disable\n' "$(cat secrets/postgres_password)" > secrets/database_url
