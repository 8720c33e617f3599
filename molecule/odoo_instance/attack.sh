#!/usr/bin/env bash
# Tries from a network namespace on the instance's bridge what a process of the instance could try.
# attack.sh BRIDGE ADDRESS GATEWAY: prints for each port of a host outside whether it was reached.
set -u -o pipefail
bridge=$1 address=$2 gateway=$3
cleanup() {
    kill "${servers[@]}" 2>/dev/null
    ip netns del sgp-inside 2>/dev/null
    ip netns del sgp-outside 2>/dev/null
}
servers=()
trap cleanup EXIT
ip netns add sgp-inside && ip netns add sgp-outside || exit 2
ip link add sgpt-in type veth peer name eth0 netns sgp-inside
ip link set sgpt-in master "$bridge" up
ip -n sgp-inside address add "$address/24" dev eth0
ip -n sgp-inside link set eth0 up
ip -n sgp-inside route add default via "$gateway"
ip link add sgpt-out type veth peer name eth0 netns sgp-outside
ip address add 198.51.100.1/24 dev sgpt-out
ip link set sgpt-out up
ip -n sgp-outside address add 198.51.100.2/24 dev eth0
ip -n sgp-outside link set eth0 up
ip -n sgp-outside route add default via 198.51.100.1
for port in 25 465 587 2525 443; do
    ip netns exec sgp-outside python3 -c "
import socket
server = socket.create_server(('', $port))
while True:
    server.accept()[0].close()" &
    servers+=($!)
done
sleep 2
ip netns exec sgp-inside python3 -c "
import socket
for port in (25, 465, 587, 2525, 443):
    try:
        socket.create_connection(('198.51.100.2', port), 5).close()
        print(port, 'reached')
    except ConnectionRefusedError:
        print(port, 'refused')
    except OSError as error:
        print(port, error)
"
