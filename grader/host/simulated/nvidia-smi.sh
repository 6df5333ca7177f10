#!/bin/sh
# A SIMULATED nvidia-smi: no GPU is behind it. It tells of the devices that the simulated hook put
# into this container. Only the shell's own words, since an image may have nothing else.

DRIVER=@DRIVER@ CUDA=@CUDA@
WANTED= FIELDS= HEADER=1 UNITS=1 LIST=

every() { # calls $1 once for each device
    at=0 show=$1
@DEVICES@
}

device() { # minor, UUID, MiB, name
    [ -e "/dev/nvidia$1" ] || return 0
    minor=$1 uuid=$2 mib=$3 name=$4
    case ",$WANTED," in
        ,, | *",$at,"* | *",$uuid,"*) "$show" ;;
    esac
    at=$((at + 1))
}

line() { printf 'GPU %s: %s (UUID: %s)\n' "$at" "$name" "$uuid"; }

row() {
    printf '| %3s  %-44.44s  %23s |\n' "$at" "$name" "0 MiB / $mib MiB"
}

table() {
    rule='+----------------------------------------------------------------------------+'
    printf '%s\n' "$rule"
    printf '| %-74.74s |\n' "SIMULATED NVIDIA-SMI    Driver: $DRIVER    CUDA: $CUDA"
    printf '%s\n' "$rule"
    every row
    printf '%s\n' "$rule"
    printf '| %-74.74s |\n' "No process can run on a simulated device."
    printf '%s\n' "$rule"
}

unit() { [ "$UNITS" ] && printf ' %s' "$1"; }

title() {
    case $1 in
        memory.*) printf '%s' "$1"; unit '[MiB]' ;;
        utilization.*) printf '%s' "$1"; unit '[%]' ;;
        gpu_name) printf name ;;
        gpu_uuid) printf uuid ;;
        *) printf '%s' "$1" ;;
    esac
}

value() {
    case $1 in
        index) printf '%s' "$at" ;;
        minor_number) printf '%s' "$minor" ;;
        name | gpu_name) printf '%s' "$name" ;;
        uuid | gpu_uuid) printf '%s' "$uuid" ;;
        count) printf '%s' "$count" ;;
        driver_version) printf '%s' "$DRIVER" ;;
        memory.total | memory.free) printf '%s' "$mib"; unit MiB ;;
        memory.used) printf 0; unit MiB ;;
        utilization.*) printf 0; unit % ;;
        temperature.gpu) printf 20 ;;
        *)
            printf 'Field "%s" is not a valid field to query (simulated nvidia-smi).\n' "$1" >&2
            exit 2
            ;;
    esac
}

each() { # calls $1 with each field, a comma between two
    what=$1 first=1 old=$IFS IFS=,
    for field in $FIELDS; do
        IFS=$old
        field=${field# }
        [ "$first" ] || printf ', '
        first=
        "$what" "$field"
    done
    IFS=$old
    printf '\n'
}

count_one() { count=$((count + 1)); }
values() { each value; }

query() {
    count=0
    every count_one
    each value > /dev/null # an unknown field ends it here, before anything is printed
    [ "$HEADER" ] && each title
    every values
}

usage() {
    printf 'Simulated nvidia-smi. It knows -L, -i ID, --query-gpu=FIELD,… --format=csv[,noheader][,nounits].\n'
}

while [ $# -gt 0 ]; do
    case $1 in
        -L | --list-gpus) LIST=1 ;;
        -i) WANTED=$2; shift ;;
        --id=*) WANTED=${1#*=} ;;
        --query-gpu=*) FIELDS=${1#*=} ;;
        --format=*)
            case ",${1#*=}," in *,csv,*) ;; *) printf '"--format=" needs csv.\n' >&2; exit 2 ;; esac
            case ",${1#*=}," in *,noheader,*) HEADER= ;; esac
            case ",${1#*=}," in *,nounits,*) UNITS= ;; esac
            ;;
        -h | --help) usage; exit 0 ;;
        *) printf 'Invalid combination of input arguments: %s\n' "$1" >&2; usage >&2; exit 1 ;;
    esac
    shift
done

if [ ! -e /dev/nvidiactl ]; then
    printf "NVIDIA-SMI (simulated) couldn't communicate with the driver: no device was given.\n" >&2
    exit 9
elif [ "$LIST" ]; then
    every line
elif [ "$FIELDS" ]; then
    query
else
    table
fi
