"""Health of the service: can it predict?"""

import http.client
import json

service = http.client.HTTPConnection("127.0.0.1", 8000, timeout=2)
picture = json.dumps({"pixels": [0] * 64})
service.request("POST", "/predict", picture, {"Content-Type": "application/json"})
raise SystemExit(0 if service.getresponse().status == 200 else 1)
