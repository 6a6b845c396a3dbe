package redisadapter_test

import (
	"fmt"
	"testing"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/redis/go-redis/v9"
)

// On a Redis Cluster the nodes of a server may be connected to any nodes of it.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	cluster := brokertest.RedisCluster(t)
	nodes := make([]*node, 4)
	users := make([]*user, len(nodes))
	for i := range nodes {
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: cluster.Addrs()})
		t.Cleanup(func() { client.Close() })
		nodes[i] = newNode(t, client, redisadapter.Options{Pattern: i == 0})
		users[i] = nodes[i].join("/", "blue", fmt.Sprint("room", i))
	}
	ctx := within(t, patience)
	for i, n := range nodes {
		if count, err := n.io.Nodes(ctx); count != len(nodes) || err != nil {
			t.Errorf("%d nodes, %v", count, err)
		}
		if list, err := n.io.In("blue").FetchSockets(ctx); len(list) != len(nodes) || err != nil {
			t.Errorf("%d sockets, %v", len(list), err)
		}
		for j := range 500 {
			check(t, n.io.To("blue").Emit("n", i, j))
		}
		check(t, n.io.In("blue").SocketsJoin("new"))
		check(t, n.io.To("new").Emit("joined"))
		check(t, n.io.In("new").SocketsLeave("new"))
		for _, u := range users {
			for j := range 500 {
				u.want(fmt.Sprintf("n %d %d", i, j))
			}
			u.want("joined")
		}
	}
}
