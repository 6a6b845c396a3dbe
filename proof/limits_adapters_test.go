package proof

// adapterLimits are those of the adapters. Each names the test of its module that trips it;
// TestSecurityPage there compares the defaults with the code's.
var adapterLimits = []limit{
	{
		what: "a broker that is away", value: "local delivery goes on; subscribed again within 5 s of its return", answer: "the log says that it is away, and that it is back",
		proof: "adapters/redis TestBrokenBroker",
	},
	{
		what: "what waits for Redis", value: "16 MiB; more is dropped, and counted in Stats", field: "redisadapter.Options.QueueBytes", answer: "an error of Emit",
		proof: "adapters/redis TestAway",
	},
	{
		what: "a message from Redis", value: "16 MiB", field: "redisadapter.Options.MaxMessage", answer: "it is refused, counted, and the first one logged",
		proof: "adapters/redis TestFlood",
	},
	{
		what: "a request that waits for other nodes", value: "5 s", field: "redisadapter.Options.RequestTime", answer: "an error of the call",
		proof: "adapters/redis TestRequestsFail",
	},
	{
		what: "a request while the broker stands still", value: "it ends with its ctx", answer: "an error of the call",
		proof: "adapters/redis TestBrokenBroker",
	},
	{
		what: "acknowledgements for a node that has not said how long it waits", value: "20 s", field: "redisadapter.Options.AckTime", answer: "later ones do not go there",
		proof: "adapters/redis TestAckTime",
	},
	{
		what: "what waits for Redis, with streams", value: "16 MiB; more is dropped, and counted in Stats", field: "redisstreams.Options.QueueBytes", answer: "an error of Emit",
		proof: "adapters/redisstreams TestQueue",
	},
	{
		what: "entries of a stream", value: "10,000; a node that was away for more has a gap, which is counted", field: "redisstreams.Options.MaxLen", answer: "clients that come back are new",
		proof: "adapters/redisstreams TestGaps",
	},
	{
		what: "an entry of a stream", value: "16 MiB", field: "redisstreams.Options.MaxMessage", answer: "it is refused, counted, and the first one logged",
		proof: "adapters/redisstreams TestLargeEntry",
	},
	{
		what: "a request that waits for other servers, with streams", value: "5 s", field: "redisstreams.Options.RequestTime", answer: "an error of the call",
		proof: "adapters/redisstreams TestRequestTime",
	},
	{
		what: "a request that waits for other servers, with NATS", value: "5 s", field: "natsadapter.Options.RequestTime", answer: "an error of the call",
		proof: "adapters/nats TestRequestTime",
	},
	{
		what: "what waits for NATS", value: "16 MiB; more is dropped, and counted in Stats", field: "natsadapter.Options.QueueBytes", answer: "an error of Emit",
		proof: "adapters/nats TestServerAway",
	},
	{
		what: "messages in Redis that no node sends", value: "none; the decoder runs nothing that it reads, and allocates nothing for a length that is only declared", answer: "they are refused, and counted",
		proof: "adapters/internal/nodewire TestHostile",
	},
	{
		what: "messages in NATS that no node sends", value: "none, in the same way", answer: "they are refused, and counted",
		proof: "adapters/nats TestHostile",
	},
}
