"""test/service.py of kafka-python, which its source package is without: a process that the fixtures start."""

import os
import re
import signal
import subprocess
import threading
import time


class ExternalService:
    def __init__(self, host, port):
        self.host, self.port = host, port

    def dump_logs(self):
        pass


class SpawnedService:
    def __init__(self, args, env):
        self.args = [str(word) for word in args]
        self.env = env
        self.lines = []

    def start(self):
        self.child = subprocess.Popen(self.args, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      text=True, start_new_session=True)
        threading.Thread(target=lambda: self.lines.extend(self.child.stdout), daemon=True).start()

    def wait_for(self, pattern, timeout=30):
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.child.poll() is None:
            if any(re.search(pattern, line, re.IGNORECASE) for line in list(self.lines)):
                return True
            time.sleep(0.05)
        return False

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)

    def dump_logs(self):
        print("".join(self.lines))
