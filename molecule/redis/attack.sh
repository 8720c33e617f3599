#!/usr/bin/env bash
# Print what was found as key=value; verify.yml knows what is right. The password stands in REDISCLI_AUTH.
socket=/run/sysgenpro/acme-molecule/redis/redis.sock
as() { setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}" 2>&1; }
ask() { as 20001 redis-cli -s $socket --user odoo --no-auth-warning "$@" | head -n1; }
echo "set=$(ask SET sgp:session:1 kept EX 1000)"
echo "index=$(ask SADD sgp:session:index:1 1)"
echo "members=$(ask SMEMBERS sgp:session:index:1)"
echo "other-key=$(ask SET other x | cut -d' ' -f1)"
for command in FLUSHALL 'CONFIG GET dir' 'KEYS sgp:*' 'ACL LIST' 'CLIENT LIST' 'EVAL return 0' SHUTDOWN SAVE 'REPLICAOF a 1' MONITOR; do
    # shellcheck disable=SC2086
    echo "${command%% *}=$(ask $command | cut -d' ' -f1)"
done
echo "other-uid=$(as 20002 redis-cli -s $socket PING | grep -c 'Permission denied')"
echo "no-login=$(REDISCLI_AUTH='' as 20001 env -u REDISCLI_AUTH redis-cli -s $socket PING | cut -d' ' -f1)"
echo "wrong-password=$(REDISCLI_AUTH=wrong as 20001 redis-cli -s $socket --user odoo --no-auth-warning PING | grep -c WRONGPASS)"
echo "listening=$(ss -Hltn 'sport = :6379' | wc -l)"
echo "default-instance=$(systemctl is-active redis-server.service)"
echo "started=$(systemctl show -p ActiveEnterTimestampMonotonic --value redis-server@acme-molecule)"
echo "full=$(for i in $(seq 40); do REDISCLI_AUTH=other as 20002 redis-cli -s /run/sysgenpro/bodega-molecule/redis/redis.sock --user odoo --no-auth-warning \
    -x SET "sgp:session:$i" < <(head -c 1000000 /dev/zero) | head -n1; done | grep -c '^OOM')"
