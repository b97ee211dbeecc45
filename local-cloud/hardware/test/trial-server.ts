/** User data that makes a server answer on three ports, also after a reboot. */
export const WEB_USER_DATA = `#cloud-config
write_files:
  - path: /opt/web.py
    content: |
      import http.server, os, socket, threading
      class Handler(http.server.BaseHTTPRequestHandler):
          protocol_version = 'HTTP/1.1'
          def answer(self, status, text):
              self.send_response(status)
              self.send_header('Content-Length', str(len(text)))
              self.end_headers()
              self.wfile.write(text.encode())
          def do_GET(self):
              if self.path == '/health':
                  return self.answer(503 if os.path.exists('/run/sick') else 200, '')
              if self.path == '/drops':
                  return self.answer(200, str(len(drops)))
              self.answer(200, socket.gethostname())
          def do_POST(self):
              drops.append(self.path)
              self.close_connection = True
          def log_message(self, *args):
              pass
      drops = []
      for port in (2222, 2223, 8080):
          server = http.server.ThreadingHTTPServer(('', port), Handler)
          threading.Thread(target=server.serve_forever).start()
  - path: /etc/systemd/system/web.service
    content: |
      [Service]
      ExecStart=/usr/bin/python3 /opt/web.py
      [Install]
      WantedBy=multi-user.target
runcmd:
  - systemctl enable --now web.service
`;
