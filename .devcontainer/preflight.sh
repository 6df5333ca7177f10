#!/bin/sh
# Looks, before the dev container is built, whether this machine has what it needs: an engine that
# answers, Compose, and room on the engine's disk. Says what is missing and what to do; exit status 1.
set -u

# Three images with their build cache, the engine's base images, and what the labs build in it.
NEED_GB=12

stop() {
    echo "This machine can't start the course yet: $1" >&2
    echo "$2" >&2
    exit 1
}

command -v docker >/dev/null || stop "there is no docker command." \
    "Install Docker Engine 24 or newer, or Docker Desktop, then reopen the folder in the container."

root=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null) && [ -n "$root" ] || stop \
    "no Docker Engine answers." \
    "Start Docker, or join the group docker, then see that \`docker info\` shows a server."

docker compose version >/dev/null 2>&1 || stop "\`docker compose\` is missing." \
    "Install Compose 2: it is in the package docker-compose-plugin, and in Docker Desktop."

# Docker Desktop keeps its data in a virtual machine, whose disk is a file on this one.
where="where Docker keeps its data"
[ -d "$root" ] || { root=.; where="on this machine, whose disk Docker's own is a part of"; }
kilobytes=$(df -Pk "$root" 2>/dev/null | awk 'NR == 2 { print $4 }')
case "$kilobytes" in
    "" | *[!0-9]*)
        echo "The room on the engine's disk can't be seen from here; the course wants $NEED_GB GB."
        exit 0
        ;;
esac

free=$((kilobytes * 1024 / 1000000000))
[ "$free" -ge "$NEED_GB" ] || stop \
    "$free GB are free $where, and the course wants $NEED_GB GB." \
    "Make room: \`docker system df\` shows what takes it, \`docker builder prune\` is a start.
With Docker Desktop its disk can be made larger in the settings; for a codespace choose a larger machine."
echo "Ready: $free GB are free $where."
