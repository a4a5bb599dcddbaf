"""What every benchmark needs: a home folder, a PostgreSQL server of its own, and time and memory of a command."""

import contextlib
import glob
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
GALEN = os.environ.get("GALEN", os.path.join(TARGET, "release", "galen"))


class Ran:
    """How a command went: seconds, peak memory in MB, processor seconds, standard output."""

    def __init__(self, seconds, megabytes, processor, output):
        self.seconds, self.megabytes, self.processor, self.output = seconds, megabytes, processor, output


def run(arguments, home=None, url=None, check=True):
    """Runs `galen` with these arguments in a home folder, on SQLite or on the PostgreSQL of `url`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GALEN_")}
    if url:
        environment["GALEN_DATABASE_URL"] = url
    command = [GALEN] + (["--home", home] if home else []) + list(arguments)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        child = subprocess.Popen(command, env=environment, stdout=out, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if check and child.returncode != 0:
            sys.exit(f"{' '.join(command)}: exit code {child.returncode}\n{err.read().decode()}")
        return Ran(seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime, out.read().decode())


@contextlib.contextmanager
def home(dags):
    """A home folder with these DAGs: id -> text of `dag.yaml`, or the folder to copy."""
    folder = tempfile.mkdtemp(prefix="galen-bench-", dir=os.environ.get("BENCH_DIR"))
    try:
        for dag_id, dag in dags.items():
            place = os.path.join(folder, "dags", dag_id)
            if os.path.isdir(dag):
                shutil.copytree(dag, place)
                continue
            os.makedirs(place)
            with open(os.path.join(place, "dag.yaml"), "w") as file:
                file.write(dag)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def postgres():
    """A private PostgreSQL server with fsync on, as a function that gives the URL of a new database."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not programs:
        print("skipped on PostgreSQL: its programs are not installed", file=sys.stderr)
        yield None
        return
    programs = programs[-1]
    folder = tempfile.mkdtemp(prefix="galen-bench-postgres-", dir=os.environ.get("BENCH_DIR"))
    user = None
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
    identity = {"user": user.pw_uid, "group": user.pw_gid} if user else {}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **identity}
    data = os.path.join(folder, "data")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    initialize = [f"{programs}/initdb", "--username=galen", "--auth=trust", "--encoding=UTF8", "--locale=C", "-D", data]
    subprocess.run(initialize, check=True, **quiet)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
    subprocess.run([f"{programs}/pg_ctl", "-D", data, "-w", "-o", options, "-l", f"{folder}/log", "start"], check=True, **quiet)
    databases = iter(range(1, 1_000_000))

    def database():
        name = f"bench{next(databases)}"
        server = ["-h", "127.0.0.1", "-p", str(port), "-U", "galen"]
        subprocess.run([f"{programs}/createdb", *server, name], check=True, **quiet)
        return f"postgres://galen@127.0.0.1:{port}/{name}"

    try:
        yield database
    finally:
        subprocess.run([f"{programs}/pg_ctl", "-D", data, "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(folder, ignore_errors=True)


def settle(url):
    """Lets the disk take what was written before, which else would be paid by who comes next."""
    if url:
        psql = sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"))[-1]
        subprocess.run([psql, "-q", url, "-c", "CHECKPOINT"], check=True)
    os.sync()


def warm(url):
    """Lets the server write and drop 700 MB: files of its log that are there need not be made anew, as on any server in use."""
    psql = sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"))[-1]
    fill = "CREATE TABLE filler AS SELECT repeat(md5(n::text), 30) AS t FROM generate_series(1, 700000) AS n"
    commands = [part for sql in (fill, "DROP TABLE filler", "CHECKPOINT") for part in ("-c", sql)]
    subprocess.run([psql, "-q", url, *commands], check=True)


def on_both(measure):
    """Runs `measure(kind, url)` on SQLite, and on a PostgreSQL server where there is one."""
    measure("SQLite", None)
    with postgres() as database:
        if database:
            measure("PostgreSQL", database())


def report(name, figure, bound=""):
    """One line of the result, for people and for pasting into a table."""
    print(f"| {name} | {figure} | {bound} |", flush=True)
