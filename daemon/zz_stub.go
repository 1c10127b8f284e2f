package daemon
import "context"
func startNode(ctx context.Context, c *control, g *group) error { return nil }
