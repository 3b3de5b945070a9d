package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// channel is a social network, and how things are named there.
type channel struct {
	name    string
	thread  naming
	message naming
	handle  naming // platformId of a customer
}

// naming draws ids.
type naming func(*rand.Rand) string

// digits draws ids of a format in which each %s is that many random digits.
func digits(format string, counts ...int) naming {
	return func(rng *rand.Rand) string {
		var numbers []any
		for _, n := range counts {
			var b strings.Builder
			for range n {
				b.WriteByte(byte('0' + rng.IntN(10)))
			}
			numbers = append(numbers, b.String())
		}
		return fmt.Sprintf(format, numbers...)
	}
}

// The ids are texts of every kind: some contain characters with a meaning in URLs, letters of other
// scripts or spaces, or are long.
var channels = []*channel{
	{"facebook", digits("fb_%s_%s", 15, 18), digits("m_%s_%s", 15, 18), digits("%s", 16)},
	{"instagram", digits("ig-%s", 17), digits("ig:%s/reply?to=%s", 12, 12), digits("@user.%s", 6)},
	{"twitter", digits("%s-%s", 10, 19), digits("%s", 19), digits("@u%s", 9)},
	{"whatsapp", digits("wa:+1555%s@c.us/%s", 7, 10), digits("wamid.HBgL%sA==", 20), digits("+1555%s", 7)},
	{"telegram", digits("группа %s#%s", 8, 8), digits("t.me/c/%s/%s", 9, 9), digits("tg%%2F%s", 8)},
	{"line", digits("line/%s&x=%s", 9, 9), digits("ライン-%s", 16), digits("U%s", 20)},
	{"custom", digits("Case %s+1;"+strings.Repeat("long-", 40)+"%s", 8, 8), digits(strings.Repeat("x", 180)+"_%s", 16), digits("c%s", 6)},
}

// UUID draws an id in the form of RFC 9562, version 4.
func UUID(rng *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x",
		rng.Uint32(), rng.Uint32()>>16, rng.Uint32()>>20, 0x8000|rng.Uint32()>>18, rng.Uint64()>>16)
}

// The roles.
const (
	roleCustomer = "CUSTOMER"
	roleAgent    = "AGENT"
	roleSystem   = "SYSTEM"
)

// unknownName stands for a name that an event leaves out.
const unknownName = "Unknown"

var customerNames = []string{
	"Ana Souza", "Li Wei 李伟", "Søren Ø. Ångström", "محمد العربي", "דנה כהן", "O'Neill & Sons", "<b>Bob</b>", "Zoë 🦊",
	"Nguyễn Thị Ánh", unknownName, "user_88213", "J.",
}

var agentNames = []string{"Priya (Support)", "Tom K.", "Agent 7", "Équipe Clients", "さくら"}

var customerTexts = []string{
	"Hi, my parcel never arrived 😡📦", "Where is order #88213?", "Thanks!! 🙏🏽", "👍", "مرحبا، أين طلبي؟ الرقم 12345",
	"שלום, ההזמנה שלי לא הגיעה", "I was charged twice: 2 × $49.90", "<script>alert('x')</script> does your form work?",
	"Line one\nline two\r\n\tline three", "\"quoted\" \\ back\\slash & <b>bold</b> &amp; more", "¿Hola? ¡Nadie contesta!",
	"注文した商品がまだ届きません。", "Family: 👨‍👩‍👧‍👦 flags: 🇧🇷🇩🇪", "e\u0301 is é, or is it?", "'; DROP TABLE threads; --", "a\x00b",
	"line\u2028separator", "{\"threadId\":\"not-mine\",\"version\":99}", "See https://shop.example/o/88213?x=1&y=2#z", ".", "\u202eabc\u202c",
}

var agentTexts = []string{
	"Hello, I am looking into it.", "Could you send me the order number, please?", "It is on its way 🚚", "Sorry for the wait!",
	"Refund of €49.90 issued ✅", "نعتذر عن التأخير", "Is there anything else?", "[macro:greeting] Dear customer, …",
}

var systemTexts = []string{"Conversation assigned", "SLA: 15 min left", "Outside of business hours"}

// maxText is how many characters a CRM takes of a message.
const maxText = 5000

// text draws what somebody with a role writes.
func text(rng *rand.Rand, role string) string {
	switch {
	case chance(rng, 0.01):
		return longText(rng, maxText) // just short enough
	case chance(rng, 0.03):
		return longText(rng, 200+rng.IntN(1500))
	case role == roleAgent:
		return pick(rng, agentTexts)
	case role == roleSystem:
		return pick(rng, systemTexts)
	}
	return pick(rng, customerTexts)
}

// longText draws a text of n characters.
func longText(rng *rand.Rand, n int) string {
	runes := make([]rune, 0, n+100)
	for len(runes) < n {
		runes = append(append(runes, []rune(pick(rng, customerTexts))...), ' ')
	}
	runes[n-1] = '!'
	return string(runes[:n])
}

// threadID draws the id of a conversation. Some differ from another one only in case.
func (c *Conversations) threadID(on *channel) string {
	if len(c.order) > 0 && chance(c.rng, 0.03) {
		return strings.ToUpper(pick(c.rng, c.order).id)
	}
	if c.social.UUIDs || chance(c.rng, 0.3) {
		return UUID(c.rng)
	}
	return on.thread(c.rng)
}
