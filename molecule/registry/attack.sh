#!/usr/bin/env bash
# Print what was found as key=value; verify.yml knows what is right. $1: the registry's name.
url=https://$1:5000/v2
ask() { curl --silent --output /dev/null --write-out '%{http_code}' --max-time 10 --connect-to "$1:5000:127.0.0.1:5000" "${@:2}"; }
call() { ask "$name" --user machine:pull "$@"; }
name=$1
echo "anonymous=$(ask "$name" "$url/")"
echo "wrong=$(ask "$name" --user machine:push "$url/")"
echo "tls11=$(ask "$name" --tls-max 1.1 "$url/")"
place=$(curl --silent --connect-to "$name:5000:127.0.0.1:5000" --user machine:pull --request POST --dump-header - --output /dev/null \
    "$url/a/blobs/uploads/" | sed -n 's/^[Ll]ocation: //p' | tr -d '\r')
digest=sha256:$(printf kept | sha256sum | cut -d' ' -f1)
echo "push=$(call --request PUT --header 'Content-Type: application/octet-stream' --data-binary kept "$place&digest=$digest")"
echo "pull=$(call "$url/a/blobs/$digest")"
echo "delete=$(call --request DELETE "$url/a/blobs/$digest")"
/usr/local/sbin/sysgenpro-registry-collect >/dev/null 2>&1
echo "collect=$?"
for _ in $(seq 50); do [ "$(call "$url/")" = 200 ] && break; sleep 0.1; done
# Nothing names this blob: the collection has taken it, and the registry takes pushes again.
echo "collected=$(call "$url/a/blobs/$digest")"
echo "push-after=$(call --request POST "$url/a/blobs/uploads/")"
echo "secret=$(setpriv --reuid 20001 --regid 20001 --clear-groups cat /etc/sysgenpro/registry/htpasswd 2>&1 | grep -c denied)"
