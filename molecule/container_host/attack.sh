#!/usr/bin/env bash
# Print what was found as key=value; verify.yml knows what is right.
python3 -m http.server --bind 127.0.0.1 18069 >/dev/null 2>&1 &
server=$!
python3 -m http.server 18070 >/dev/null 2>&1 &
disown
for _ in $(seq 50); do curl -s -o /dev/null http://127.0.0.1:18069/ && break; sleep 0.1; done
curl -s -o /dev/null --max-time 3 http://172.28.1.2:8069/ && echo front-leads=led
# 7 is "refused"; 28 would be a packet that was dropped
curl -s -o /dev/null --max-time 3 http://172.28.2.2:8069/
[ $? = 7 ] && echo front-refuses=refused
journalctl -b -u sysgenpro-fronts | grep -q 'damaged.nft: its front refuses' && echo front-damaged-reported=yes
rm /etc/sysgenpro/fronts.d/damaged.nft
systemctl reset-failed sysgenpro-fronts
# What is in the map wins over what lies in the files.
nft delete element ip sysgenpro fronts '{ 172.28.1.2 . 8069 }'
systemctl restart sysgenpro-fronts
nft list map ip sysgenpro fronts | grep -q 172.28.1.2 || echo map-kept-on-reload=yes
nft delete table ip sysgenpro
systemctl restart sysgenpro-fronts
nft list map ip sysgenpro fronts | grep -q '172.28.1.2 . 8069 : 127.0.0.1 . 18069' && echo table-back-after-flush=yes
systemctl start nftables 2>&1 | grep -q masked && echo nftables-start-refused=yes
nft list table ip nat 2>/dev/null | grep -q 'chain DOCKER' && echo docker-tables=yes
before=$(systemctl show -p MainPID --value docker)
systemctl reload docker
[ "$(systemctl show -p MainPID --value docker)" = "$before" ] && echo docker-same-process=yes
echo "container-survives-restart=$(docker info --format '{{ .LiveRestoreEnabled }}')"
echo "registry-certificate=$(tail --lines 1 /etc/docker/certs.d/registry.example.test:5000/ca.crt)"
echo "password-logins=$(sshd -T | sed -n 's/^passwordauthentication //p')"
kill $server
