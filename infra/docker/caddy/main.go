// Caddy as its authors build it, with a limit of requests per client, and a command for its image's
// health check: beside the program there is nothing in the image that could ask.
package main

import (
	"fmt"
	"net/http"
	"time"
	_ "time/tzdata"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	_ "github.com/mholt/caddy-ratelimit"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "health",
		Short: "Says whether the Caddy of this container serves",
		Func:  health,
	})
}

// Port 8090 is the Caddyfile's for this.
func health(caddycmd.Flags) (int, error) {
	client := http.Client{Timeout: 3 * time.Second}
	answer, err := client.Get("http://127.0.0.1:8090/")
	if err != nil {
		return 1, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 1, fmt.Errorf("Caddy answers %s", answer.Status)
	}
	return 0, nil
}

func main() {
	caddycmd.Main()
}
