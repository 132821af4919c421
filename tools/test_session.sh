#!/usr/bin/env bash
# The session of the quick start, to the letter: ./my_redis_server &, then ./my_redis_client, on the default port.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --bin my_redis_server --bin my_redis_client
if (exec 3<>/dev/tcp/127.0.0.1/6379) 2>/dev/null; then
    echo "SKIPPED: the session of the quick start needs port 6379, and something listens there already." >&2
    exit
fi
folder=$(mktemp -d)
ln -s "$PWD/target/debug/my_redis_server" "$PWD/target/debug/my_redis_client" "$folder"
cd "$folder"

./my_redis_server >log 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true; rm -r "$folder"' EXIT
until ./my_redis_client PING >/dev/null 2>&1; do
    kill -0 $server || { cat log >&2; exit 1; }
    sleep 0.05
done

./my_redis_client --no-raw >printed <<END
SET greeting "hello world" EX 100
GET greeting
INCR visits
RPUSH queue a b c
LMOVE queue done LEFT RIGHT
HSET user:1 name ann age 33
HGETALL user:1
LPUSH greeting x
END
diff - printed <<END
OK
"hello world"
(integer) 1
(integer) 3
"a"
(integer) 2
1) "name"
2) "ann"
3) "age"
4) "33"
(error) WRONGTYPE Operation against a key holding the wrong kind of value
END

# Ctrl-C saves the data and ends the server.
kill -INT $server
wait $server
test -s dump.my_rdb
