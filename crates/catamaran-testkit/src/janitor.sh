# Functions for ending every process of the cluster in the directory "$1".

root=$1

# Prints the ids of the processes. They are recognised by their working
# directory, or by their arguments where the system does not tell it: an id read
# from postmaster.pid may belong to another program by now.
processes() {
    if [ -r /proc/self/stat ]; then
        ls -l /proc/[0-9]*/cwd 2>/dev/null | while read -r line; do
            case $line in
                *" -> $root" | *" -> $root/"*) ;;
                *) continue ;;
            esac
            pid=${line#*/proc/}
            pid=${pid%%/*}
            { read -r name <"/proc/$pid/comm"; } 2>/dev/null || continue
            # Somebody's shell or pager in the directory is not ours to end.
            case $name in
                postgres | initdb | pgbouncer) echo "$pid" ;;
            esac
        done
    else
        table=$(ps -A -o pid= -o ppid= -o args=)
        owners=" $(echo "$table" | while read -r pid _ args; do
            case $args in
                *" -D $root/data"* | *" $root/pgbouncer.ini"*) echo "$pid" ;;
            esac
        done | tr '\n' ' ')"
        echo "$table" | while read -r pid parent _; do
            case $owners in
                *" $pid "* | *" $parent "*) echo "$pid" ;;
            esac
        done
    fi
}

# Sends the signal "$1" to the processes.
send() {
    for pid in $(processes); do
        kill -"$1" "$pid" 2>/dev/null
    done
}

# Sends the signal "$1", and SIGKILL if that does not suffice within about 5 s,
# until there are no processes.
end() {
    send "$1"
    tries=0
    while [ -n "$(processes)" ]; do
        tries=$((tries + 1))
        if [ "$1" = KILL ] || [ "$tries" -gt 150 ]; then
            send KILL
        fi
        sleep 0.02 2>/dev/null || sleep 1
    done
}

# Makes the directory and says so, or ends without touching one that exists. The
# owner may be gone before it can hear of it.
make() {
    trap '' HUP INT TERM PIPE
    mkdir -m 700 "$root" 2>/dev/null || exit 1
    echo made
    exec >/dev/null
}

# Waits until standard input ends, then removes the processes, the shared memory
# and the directory.
watch() {
    trap '' HUP INT TERM
    cat >/dev/null
    while [ -e "$root" ]; do
        end QUIT
        # A server that was killed could not remove its segment.
        segment=$(sed -n '7s/.* //p' "$root/data/postmaster.pid" 2>/dev/null)
        if [ -n "$segment" ]; then
            ipcrm -m "$segment" 2>/dev/null
        fi
        rm -rf "$root" 2>/dev/null || sleep 0.1
    done
    end KILL
}
