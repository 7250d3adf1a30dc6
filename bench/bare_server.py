"""The ceiling of webhooks: a Flask application on Parley's own web server that reads the body and says 200.

python -m bench.bare_server PORT
"""

import sys
import threading

from flask import Flask, Response, request

from workers.settings import Settings
from workers.webserver import WebServer

app = Flask(__name__)


@app.post("/ingress/rest/BARE")
def accept() -> Response:
    """Take whatever is posted."""
    request.get_data()
    return Response("<Response/>", content_type="text/xml")


@app.get("/health/ready")
def ready() -> Response:
    """Say that it runs."""
    return Response("ready")


if __name__ == "__main__":
    WebServer(app, "127.0.0.1", int(sys.argv[1]), Settings().web_threads).start()
    threading.Event().wait()
