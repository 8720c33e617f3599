"""Log in as who may and as who may not; print what came of it as JSON. The passwords come on standard input."""

import json
import os
import sys

import psycopg2

INSTANCE, PUBLIC = "/run/sysgenpro/acme-molecule/postgresql", "/run/postgresql"


def attempt(uid, **how):
    """Connect as a user of the machine, in a process of its own."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.environ["HOME"] = "/nonexistent"
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        try:
            with psycopg2.connect(dbname="postgres", connect_timeout=5, **how) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT session_user || ' as ' || current_user")
                answer = cursor.fetchone()[0]
        except psycopg2.Error as error:
            answer = "refused: " + str(error)
        os.write(write, answer.encode())
        os._exit(0)
    os.wait()
    return os.read(read, 10000).decode()


def main():
    words = json.load(sys.stdin)
    mine = {"host": INSTANCE, "port": 5501}
    tcp = {"host": "127.0.0.1", "port": 5502, "user": "bodega_molecule_blue_web", "password": "one"}
    blue = {"user": "acme_molecule_blue_web", "password": words["blue_web"]}
    seen = {login: attempt(20001, user="acme_molecule_" + login, password=word, **mine) for login, word in words.items()}
    seen["wrong password"] = attempt(20001, user=blue["user"], password="wrong", **mine)
    seen["other uid"] = attempt(20002, **blue, **mine)
    seen["other uid, public socket"] = attempt(20002, host=PUBLIC, port=5501, **blue)
    seen["postgres from a container"] = attempt(20001, **{**mine, "user": "postgres"})
    seen["root"] = attempt(0, host=PUBLIC, port=5501, user="postgres")
    seen["tcp"] = attempt(20002, sslmode="require", **tcp)
    seen["tcp in clear"] = attempt(20002, sslmode="disable", **tcp)
    seen["postgres by tcp"] = attempt(20002, **{**tcp, "user": "postgres", "sslmode": "require"})
    print(json.dumps(seen))


main()
