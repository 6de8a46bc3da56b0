# shellcheck shell=bash disable=SC2154
# The development servers in containers. Sourced by scripts/infrastructure, whose names it uses:
# $data, the ports, say, die, secret.

# Another data folder is another set of containers.
project=kontor-development-$(printf '%s' "$data" | cksum | cut -d ' ' -f 1)

# compose ARGUMENT...: on our file, which finds the rest by its variables.
compose() {
    KONTOR_INFRASTRUCTURE_DATA=$data POSTGRES_PORT=$postgres_port NATS_PORT=$nats_port \
        REDIS_PORT=$redis_port MONGODB_PORT=$mongodb_port \
        docker compose --progress quiet --project-name "$project" --file deploy/docker/infrastructure.yaml --profile mongodb "$@"
}

start_engines() {
    secret postgres >/dev/null
    write_server_configuration /data
    # Read inside by users of their own. Nobody else gets here: the folders around them are closed.
    chmod 644 "$data/secrets/postgres" "$data"/nats.d/*.conf "$data/redis.d/redis.conf"
    mkdir -p "$data"/postgres "$data"/nats "$data"/redis
    [[ " $* " != *" mongodb "* ]] || mkdir -p "$data/mongodb"
    compose up --detach --wait --wait-timeout 180 "$@" ||
        die "not all of it started: docker compose --project-name $project logs"
    roles_and_databases |
        compose exec --no-TTY --user postgres postgres psql -X -q -v ON_ERROR_STOP=1 -U postgres -d postgres
}

stop_engines() { compose down; }

# What the containers' own users wrote can be removed by such a user only.
forget_engines() {
    local engine
    for engine in $(engines); do
        compose run --rm --no-deps --user 0 --volume "$data:/wipe" --entrypoint rm "$engine" -rf "/wipe/$engine"
    done
    compose down --volumes
}

state_of() {
    case $(compose ps --format '{{.Health}}' "$1" 2>/dev/null) in
        healthy) echo running ;;
        '') echo stopped ;;
        *) echo starting ;;
    esac
}

version_of() { compose images --format json "$1" 2>/dev/null | sed -n 's/.*"Repository":"\([^"]*\)","Tag":"\([^"]*\)".*/\1:\2/p'; }
