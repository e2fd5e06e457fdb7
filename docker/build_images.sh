#!/usr/bin/env bash
# Builds stylizer-worker and stylizer-studio with buildah, or with Docker where buildah is absent.
#
#   BASE=…  image to build on; the default is the official Python image. Where no registry answers, a Debian with Python is
#           bootstrapped instead (needs debootstrap and root).
#   STORAGE_DRIVER=vfs, BUILDAH_ISOLATION=chroot: the defaults here; they work without privileges for containers.
set -euo pipefail
cd "$(dirname "$0")/.."
base=${BASE:-docker.io/library/python:3.11-slim}

if ! command -v buildah > /dev/null; then
    command -v docker > /dev/null || { echo "images: needs buildah (apt-get install buildah) or docker" >&2; exit 1; }
    docker build --build-arg "BASE=$base" -f docker/worker.Dockerfile -t stylizer-worker .
    exec docker build -f docker/studio.Dockerfile -t stylizer-studio .
fi

export STORAGE_DRIVER=${STORAGE_DRIVER:-vfs} BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}
if ! buildah pull --quiet "$base" > /dev/null; then
    command -v debootstrap > /dev/null || { echo "images: $base cannot be pulled, and debootstrap is absent" >&2; exit 1; }
    base=localhost/stylizer-base
    if ! buildah inspect --type image "$base" > /dev/null 2>&1; then
        echo "images: no registry answers; bootstrapping a Debian as $base" >&2
        root=$(mktemp -d)
        trap 'rm -rf "$root"' EXIT
        debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm "$root/debian" > "$root/log" \
            || { tail "$root/log" >&2; exit 1; }
        rm -rf "$root"/debian/var/cache/apt/archives/*.deb
        container=$(buildah from scratch)
        buildah add --quiet "$container" "$root/debian" /
        buildah commit --quiet --rm "$container" "$base"
    fi
fi
# Whom this machine trusts, a company's proxy say, the build trusts too; nothing of it stays in the image.
authorities=/etc/ssl/certs/ca-certificates.crt
[ -f "$authorities" ] && trust=(--volume "$authorities:$authorities:ro") || trust=()
# Health checks are kept by Docker's format only; one layer each, because vfs copies the whole tree for every layer.
buildah build --format docker --layers=false "${trust[@]}" --build-arg "BASE=$base" -f docker/worker.Dockerfile -t stylizer-worker .
buildah build --format docker --layers=false -f docker/studio.Dockerfile -t stylizer-studio .
