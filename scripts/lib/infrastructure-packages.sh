# shellcheck shell=bash disable=SC2154
# The development servers as processes of this machine's own packages. Sourced by
# scripts/infrastructure, whose names it uses: $data, the ports, say, die, secret.

# PostgreSQL refuses to run as root.
as_postgres=()
if [ "$(id -u)" -eq 0 ]; then as_postgres=(setpriv --reuid postgres --regid postgres --init-groups); fi

postgres_bin() {
    local bin
    bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    if [ ! -x "$bin/postgres" ] && command -v pg_config >/dev/null; then bin=$(pg_config --bindir); fi
    echo "$bin"
}

# launch ENGINE COMMAND...: in the background, and there when this script and its terminal are gone.
launch() {
    local engine=$1
    shift
    mkdir -p "$data/log" "$data/run"
    (cd "$data" && exec setsid "$@") >>"$data/log/$engine.log" 2>&1 </dev/null 9>&- &
    echo $! >"$data/run/$engine.pid"
}

# pid_of ENGINE: of its process, if it is there. After a restart of the machine the number may be
# somebody else's, whose command line has not our folder in it.
pid_of() {
    local pid
    pid=$(cat "$data/run/$1.pid" 2>/dev/null) && grep -qsF "$data/" "/proc/$pid/cmdline" && echo "$pid"
}

as_superuser() {
    PGPASSWORD=$(secret postgres) PGCONNECT_TIMEOUT=2 \
        "$(postgres_bin)/psql" -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$postgres_port" -U postgres -d postgres "$@"
}

start_postgres() {
    local bin
    bin=$(postgres_bin)
    if [ ! -f "$data/postgres/PG_VERSION" ]; then
        say "a new PostgreSQL"
        rm -rf "$data/postgres"
        mkdir -p "$data/postgres"
        chmod 700 "$data/postgres"
        chmod a+x "$data"
        if [ "$(id -u)" -eq 0 ]; then
            chown postgres: "$data/postgres"
            "${as_postgres[@]}" test -w "$data/postgres" ||
                die "PostgreSQL does not run as root, and the user postgres cannot enter $data: set KONTOR_INFRASTRUCTURE_DATA to a folder that it can"
        fi
        # Its user may not read our secrets, and is shown this one for once.
        local password=$data/run/password
        mkdir -p "$data/run"
        secret postgres | private "$password"
        if [ "$(id -u)" -eq 0 ]; then chown postgres: "$password"; fi
        (cd "$data" && "${as_postgres[@]}" "$bin/initdb" --pgdata="$data/postgres" --username=postgres \
            --pwfile="$password" --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8) >"$data/log/postgres.log" 2>&1 ||
            { cat "$data/log/postgres.log" >&2; rm -rf "$data/postgres"; die "initdb failed"; }
        rm -f "$password"
    fi
    launch postgres "${as_postgres[@]}" "$bin/postgres" -D "$data/postgres" -p "$postgres_port" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 \
        -c shared_buffers=256MB -c timezone=UTC
}

start_nats() {
    write_server_configuration "$data/nats"
    launch nats nats-server --config "$data/nats.d/nats.conf" --addr 127.0.0.1 --port "$nats_port"
}

start_redis() {
    write_server_configuration "$data/nats"
    mkdir -p "$data/redis"
    # Under its own name, by which it is found again.
    launch redis redis-server "$data/redis.d/redis.conf" --bind 127.0.0.1 --port "$redis_port" \
        --dir "$data/redis" --set-proc-title no
}

start_mongodb() {
    mkdir -p "$data/mongodb"
    launch mongodb secantusd-py --host 127.0.0.1 --port "$mongodb_port" --storage-path "$data/mongodb"
}

answers_postgres() { as_superuser -c 'SELECT 1' >/dev/null 2>&1; }

answers_nats() {
    local line
    { read -r -t 2 line <"/dev/tcp/127.0.0.1/$nats_port"; } 2>/dev/null && [[ $line == *kontor-development*'"jetstream":true'* ]]
}

answers_redis() {
    local line
    {
        exec 3<>"/dev/tcp/127.0.0.1/$redis_port" &&
            printf 'AUTH %s\r\n' "$(secret redis)" >&3 && read -r -t 2 line <&3 && exec 3<&-
    } 2>/dev/null && [[ $line == +OK* ]]
}

answers_mongodb() { (exec 3<>"/dev/tcp/127.0.0.1/$mongodb_port") 2>/dev/null; }

start_engines() {
    local engine waited
    mkdir -p "$data/log"
    scripts/install-tools "${@/postgres/postgresql}" 9>&-
    for engine in "$@"; do
        pid_of "$engine" >/dev/null && continue
        if (exec 3<>"/dev/tcp/127.0.0.1/$(port_of "$engine")") 2>/dev/null; then
            die "port $(port_of "$engine") is taken by another program: stop it, or set ${engine^^}_PORT"
        fi
        say "starting $engine"
        "start_$engine"
    done
    for engine in "$@"; do
        for ((waited = 0; ; waited++)); do
            if "answers_$engine"; then break; fi
            if [ "$waited" -ge 300 ] || ! pid_of "$engine" >/dev/null; then
                tail -n 20 "$data/log/$engine.log" >&2
                die "$engine did not start; what it said is above and in ${data#"$root"/}/log/$engine.log"
            fi
            sleep 0.1
        done
    done
    roles_and_databases | as_superuser
}

stop_engines() {
    local engine pid waited
    for engine in mongodb redis nats postgres; do
        pid=$(pid_of "$engine") || continue
        say "stopping $engine"
        # INT: PostgreSQL ends what clients have open instead of waiting for it.
        kill -s INT "$pid"
        for ((waited = 0; waited < 300; waited++)); do
            kill -0 "$pid" 2>/dev/null || break
            [ "$(ps -o stat= -p "$pid" 2>/dev/null)" != Z ] || break
            sleep 0.1
        done
        if pid_of "$engine" >/dev/null; then
            say "$engine did not stop within 30 s: killing it"
            kill -s KILL "$pid"
        fi
        rm -f "$data/run/$engine.pid"
    done
}

forget_engines() { :; }

state_of() {
    if ! pid_of "$1" >/dev/null; then echo stopped; elif "answers_$1"; then echo running; else echo starting; fi
}

version_of() {
    case $1 in
        postgres) "$(postgres_bin)/postgres" --version ;;
        nats) nats-server --version ;;
        redis) redis-server --version | cut -d ' ' -f 1-3 ;;
        mongodb) echo "SecantusDB, beta: for development only" ;;
    esac 2>/dev/null || echo "not installed"
}
