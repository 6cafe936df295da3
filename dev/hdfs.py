"""An HDFS of one NameNode and three DataNodes, WebHDFS on.

Three, because a client that closes a file on a single DataNode waits half a second for the NameNode to hear of it.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import httpx

from dev.errors import DevError
from dev.ports import Ports
from dev.programs import Program

DATANODES = 3
PORTS = ("namenode", "namenode-http",
         *(f"datanode-{number}{kind}" for number in range(DATANODES) for kind in ("", "-http", "-ipc")))  # fmt: skip
_FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m")
_PACKAGE = "org.apache.hadoop.hdfs.server"
_LOG4J = """\
log4j.rootLogger=WARN,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c: %m%n
"""


@dataclass(frozen=True, slots=True)
class Hdfs:
    """A file system whose state is below ``folder``."""

    folder: Path
    java: Path
    jars: Path
    ports: Ports

    @property
    def url(self) -> str:
        """``hdfs://127.0.0.1:PORT``."""
        return f"hdfs://{self.ports.address('namenode')}"

    @property
    def webhdfs(self) -> str:
        """``http://127.0.0.1:PORT`` of the NameNode's pages and WebHDFS."""
        return f"http://{self.ports.address('namenode-http')}"

    def log(self, name: str) -> Path:
        """What ``namenode`` or ``datanode-N`` prints."""
        return self.folder / f"{name}.log"

    def prepare(self) -> None:
        """Write the configurations and, the first time, format the NameNode."""
        self._configure("namenode", self._namenode_settings())
        for number in range(DATANODES):
            self._configure(f"datanode-{number}", self._datanode_settings(number))
        if not (self.folder / "namenode" / "name" / "current" / "VERSION").exists():
            self._format()

    def programs(self) -> tuple[Program, ...]:
        """The NameNode, then the DataNodes; they may start in any order."""
        datanodes = [f"datanode-{number}" for number in range(DATANODES)]
        return (
            self._program("namenode", "namenode.NameNode"),
            *(self._program(name, "datanode.DataNode") for name in datanodes),
        )

    def answers(self) -> bool:
        """Whether the NameNode has left safe mode, sees every DataNode, and a file can be written and read.

        A NameNode that has just come back counts DataNodes as live before it knows which blocks they have.
        """
        state = self._state()
        if state.get("FSState") != "Operational" or state.get("NumLiveDataNodes") != DATANODES:
            return False
        return state.get("UnderReplicatedBlocks") == 0 and self._takes_files()

    def in_safe_mode(self) -> bool:
        """Whether the NameNode refuses changes; false when it does not answer."""
        return self._state().get("FSState") == "safeMode"

    def set_safe_mode(self, on: bool) -> None:
        """Switch safe mode as an operator would; returns when it is so."""
        command = "org.apache.hadoop.hdfs.tools.DFSAdmin"
        self._run("namenode", command, "-fs", self.url, "-safemode", "enter" if on else "leave")

    def _takes_files(self) -> bool:
        url, content = f"{self.webhdfs}/webhdfs/v1/.ready", b"ready"
        with httpx.Client(timeout=5, follow_redirects=True) as client:
            try:
                client.put(url, params={"op": "CREATE", "overwrite": "true"}, content=content).raise_for_status()
                return client.get(url, params={"op": "OPEN"}).content == content
            except httpx.HTTPError:
                return False

    def _state(self) -> dict[str, object]:
        query = {"qry": "Hadoop:service=NameNode,name=FSNamesystemState"}
        try:
            beans = httpx.get(f"{self.webhdfs}/jmx", params=query, timeout=2).json()["beans"]
        except (httpx.HTTPError, ValueError):
            return {}
        return beans[0] if beans else {}

    def _program(self, name: str, main: str) -> Program:
        return Program(name, self._java(name, f"{_PACKAGE}.{main}"), self.log(name))

    def _java(self, name: str, *arguments: str) -> tuple[str, ...]:
        return (str(self.java), *_FLAGS, "-cp", f"{self.folder / name / 'conf'}:{self.jars}/*", *arguments)

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(self._java(name, *arguments), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DevError(f"{arguments[0]} failed:\n{done.stdout}{done.stderr}")

    def _format(self) -> None:
        # DataNodes remember the file system they belong to and would refuse a new one.
        for number in range(DATANODES):
            shutil.rmtree(self.folder / f"datanode-{number}" / "data", ignore_errors=True)
        self._run("namenode", f"{_PACKAGE}.namenode.NameNode", "-format", "-force", "-nonInteractive")

    def _configure(self, name: str, settings: dict[str, object]) -> None:
        conf = self.folder / name / "conf"
        conf.mkdir(parents=True, exist_ok=True)
        core = {"fs.defaultFS": self.url, "hadoop.tmp.dir": self.folder / name / "tmp"}
        (conf / "core-site.xml").write_text(_site(core))
        (conf / "hdfs-site.xml").write_text(_site(settings))
        (conf / "log4j.properties").write_text(_LOG4J)

    def _namenode_settings(self) -> dict[str, object]:
        return {
            "dfs.replication": DATANODES,
            "dfs.namenode.name.dir": (self.folder / "namenode" / "name").as_uri(),
            "dfs.namenode.rpc-address": self.ports.address("namenode"),
            "dfs.namenode.http-address": self.ports.address("namenode-http"),
            "dfs.namenode.datanode.registration.ip-hostname-check": "false",
            "dfs.namenode.safemode.extension": 0,
            "dfs.webhdfs.enabled": "true",
            # One machine, one user: whoever asks may write.
            "dfs.permissions.enabled": "false",
        }

    def _datanode_settings(self, number: int) -> dict[str, object]:
        name = f"datanode-{number}"
        return {
            "dfs.replication": DATANODES,
            "dfs.namenode.rpc-address": self.ports.address("namenode"),
            "dfs.datanode.data.dir": (self.folder / name / "data").as_uri(),
            "dfs.datanode.hostname": "127.0.0.1",
            "dfs.datanode.address": self.ports.address(name),
            "dfs.datanode.http.address": self.ports.address(f"{name}-http"),
            "dfs.datanode.ipc.address": self.ports.address(f"{name}-ipc"),
            # WebHDFS writes go through a client inside the DataNode; it need not wait half a second to ask again.
            "dfs.client.block.write.locateFollowingBlock.initial.delay.ms": 5,
            "dfs.client.block.write.locateFollowingBlock.retries": 12,
        }


def _site(settings: dict[str, object]) -> str:
    rows = [f"<property><name>{name}</name><value>{escape(str(value))}</value></property>"
            for name, value in settings.items()]  # fmt: skip
    return "<?xml version='1.0'?>\n<configuration>\n" + "\n".join(rows) + "\n</configuration>\n"
