#!/bin/sh
# Print what a role may have written: files with owner, mode, time and size, packages, units, packet filter, containers, PostgreSQL's roles.
# What daemons write on their own (logs, PostgreSQL's, Docker's and Odoo's data, caches, /run) and the lab's own names are left out.
set -eu
find /etc /opt /srv /usr/local /var/lib/sysgenpro /var/lib/systemd/linger /root /home \
  \( -path /root/.ansible -o -path /etc/docker/key.json -o -path /etc/lab -o -path /etc/hosts -o -path /etc/resolv.conf -o -path '/var/lib/sysgenpro/instances/*/data/*' -o -name '.bash_history' -o -name '__pycache__' \) -prune -o \
  \( -type d -printf 'directory %p %m %u %g\n' -o -printf 'file %p %m %u %g %s %T@ %l\n' \) 2>/dev/null | sort
dpkg-query -W -f 'package ${Package} ${Version} ${db:Status-Status}\n'
systemctl list-unit-files --no-legend --plain | sed 's/^/unit-file /'
# A socket or timer may start a service at any moment; services that a role keeps running are of the kinds below.
systemctl list-units --type=service --state=running --no-legend --plain 'docker*' 'postgresql*' 'redis*' 'traefik*' 'sysgenpro*' '*registry*' | awk '{print "running", $1}'
if command -v nft >/dev/null; then nft -s list ruleset | grep -v 'counter packets' | sed 's/^/nft /'; fi
ip -4 -o address show dev lo | awk '{print "address", $4}'
if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
  docker ps --all --no-trunc --format 'container {{.ID}} {{.Names}} {{.State}}'
  docker network ls --no-trunc --format 'network {{.ID}} {{.Name}}'
  docker image ls --no-trunc --format 'image {{.ID}} {{.Repository}}'
fi
if command -v pg_lsclusters >/dev/null; then
  pg_lsclusters --no-header | while read -r _ cluster port status _; do
    echo "cluster $cluster $port $status"
    [ "$status" != online ] || runuser -u postgres -- psql --port "$port" --no-align --tuples-only \
      --command "select 'role', rolname, rolcanlogin, rolconnlimit, md5(coalesce(rolpassword, '')) from pg_authid union all select 'database', datname, datallowconn, datconnlimit, '' from pg_database order by 1, 2"
  done
fi
