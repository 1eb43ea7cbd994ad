package chat

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestPeopleSayItInManyWays(t *testing.T) {
	ack12 := Command{Verb: Ack, Incident: "INC-12"}
	for text, want := range map[string]Command{
		"ack 12":                      ack12,
		"ACK":                         {Verb: Ack},
		"Ack.":                        {Verb: Ack},
		"ack INC-12":                  ack12,
		"Ack inc12!":                  ack12,
		"ack INC 12":                  ack12,
		"ack incident 12":             ack12,
		"ack #12":                     ack12,
		"ack: 12":                     ack12,
		"INC-12 ack":                  ack12,
		"12 ack":                      ack12,
		"ack INC-0012":                ack12,
		"\u201cack 12\u201d":          ack12,
		"\"ack 12\"":                  ack12,
		"*ack* `12`":                  ack12,
		"  acknowledge\t12 ":          ack12,
		"/mw ack 12":                  ack12,
		"/ack 12":                     ack12,
		"/ack@midwatch_bot 12":        ack12,
		"<@U012ABC> ack 12":           ack12,
		"<@U012ABC>: ack 12":          ack12,
		"@midwatch, ack 12":           ack12,
		"midwatch ack 12":             ack12,
		"mw ack 12":                   ack12,
		"\ufeffack 12":                ack12,
		"👍":                           {Verb: Ack},
		"👍🏽":                          {Verb: Ack},
		"!mw ack 12":                  ack12,
		"!ack 12":                     ack12,
		":+1: 12":                     ack12,
		"ack 12 looking at the disks": {Verb: Ack, Incident: "INC-12", Text: "looking at the disks"},
		"ack - looking":               {Verb: Ack, Text: "looking"},
		"INC-12: resolved by hand":    {Verb: Resolve, Incident: "INC-12", Text: "by hand"},

		"/mw resolve 12 fixed it":                {Verb: Resolve, Incident: "INC-12", Text: "fixed it"},
		"resolve 12: fixed it\nby hand":          {Verb: Resolve, Incident: "INC-12", Text: "fixed it\nby hand"},
		"escalate":                               {Verb: Escalate},
		"undo 12":                                {Verb: Undo, Incident: "INC-12"},
		"note 12 text…":                          {Verb: Note, Incident: "INC-12", Text: "text…"},
		"note the disk is full":                  {Verb: Note, Text: "the disk is full"},
		"note\nthe disk\nis full":                {Verb: Note, Text: "the disk\nis full"},
		"note -5 degrees":                        {Verb: Note, Text: "5 degrees"},
		"show 3":                                 {Verb: Show, Incident: "INC-3"},
		"status":                                 {Verb: Show},
		"snooze 12 30m":                          {Verb: Snooze, Incident: "INC-12", For: 30 * time.Minute},
		"snooze 30m":                             {Verb: Snooze, For: 30 * time.Minute},
		"snooze 12 for 2 hours":                  {Verb: Snooze, Incident: "INC-12", For: 2 * time.Hour},
		"snooze 12 1h30m waiting for the vendor": {Verb: Snooze, Incident: "INC-12", For: 90 * time.Minute, Text: "waiting for the vendor"},
		"snooze 12 30":                           {Verb: Snooze, Incident: "INC-12", For: 30 * time.Minute},
		"snooze 12 1d":                           {Verb: Snooze, Incident: "INC-12", For: 24 * time.Hour},
		"snooze 12":                              {Verb: Snooze, Incident: "INC-12"},
		"snooze 12 900w":                         {Verb: Snooze, Incident: "INC-12", Text: "900w"},
		"snooze 12 for lunch":                    {Verb: Snooze, Incident: "INC-12", Text: "for lunch"},

		"page ana db is down":         {Verb: Page, User: "ana", Text: "db is down"},
		"page @ana: db is down":       {Verb: Page, User: "ana", Text: "db is down"},
		"page <@U99> db is down":      {Verb: Page, User: "<@U99>", Text: "db is down"},
		"page INC-12 ana please help": {Verb: Page, Incident: "INC-12", User: "ana", Text: "please help"},
		"page ana 12":                 {Verb: Page, Incident: "INC-12", User: "ana"},
		"page <@U99> #12":             {Verb: Page, Incident: "INC-12", User: "<@U99>"},
		"page ana INC-12 disks":       {Verb: Page, Incident: "INC-12", User: "ana", Text: "disks"},
		"page ana 3 disks are full":   {Verb: Page, User: "ana", Text: "3 disks are full"},
		"page 12 ana 13":              {Verb: Page, Incident: "INC-12", User: "ana", Text: "13"},
		"who db":                      {Verb: Who, Text: "db"},
		"who":                         {Verb: Who},
		"Who is on call for db?":      {Verb: Who, Text: "db"},
		"who's on call?":              {Verb: Who},
		"oncall db-primary":           {Verb: OnCall, Text: "db-primary"},
		"on call":                     {Verb: OnCall},
		"help":                        {Verb: Help},
		"?":                           {Verb: Help},
		"/start":                      {Verb: Help},
	} {
		got, ok := Parse(text)
		if !ok || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", text, got, ok, want)
		}
	}
}

// Nothing is done for words that no verb leads: they may be an autoresponder's.
func TestWhatIsNoCommand(t *testing.T) {
	for _, text := range []string{
		"", " ", "hello", "next, restart it", "fixed in prod", "got it, thanks", "mine is fine", "close to a fix", "I will ack this later", "thanks, ok", "acknowledgement", "12", "INC-12", "out of office until Monday",
		"> ack 12", "On Mon, Ana wrote:\nack 12", "-- \nack", "no\nack 12", "@", "<@U012>", "/mw",
	} {
		if got, ok := Parse(text); ok {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

// In a thread only what cannot be said to a colleague counts.
func TestWhatIsMeantForUs(t *testing.T) {
	for text, want := range map[string]bool{
		"ack": true, "Ack, looking": true, "ack 12": true, "12 ack": true, "resolve": true, "Resolved.": true, "resolve 12": true,
		"escalate": true, "snooze 30m": true, "note the disk is full": true, "undo": true, "/resolve it works": true, "mw who db": true,
		"!who db": true, "> ack\nresolve": true,
		"resolve the DNS first?": false, "escalate to the network team?": false, "👍": false, "who broke it?": false,
		"page ana then": false, "page ana 12": false, "snooze it": false, "status?": false, "help!": false, "note": false,
	} {
		c, ok := Parse(text)
		if got := ok && meant(text, c); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestMailProgramsQuote(t *testing.T) {
	for name, text := range map[string]string{
		"Gmail":               "ack 12\r\n\r\nOn Sun, 22 Nov 2026 at 03:01, Midwatch <ack+x@mw.example.org>\r\nwrote:\r\n\r\n> ack 99\r\n> Replication lag\r\n",
		"Gmail, below":        "On Sun, 22 Nov 2026 at 03:01, Midwatch <ack+x@mw.example.org> wrote:\n\n> note 99 no\n> Replication lag\n\nack 12",
		"Outlook":             "ack 12\r\n\r\n________________________________\r\nFrom: Midwatch <a@b>\r\nSent: Sunday\r\nTo: Ana\r\nSubject: x\r\n\r\nack 99",
		"Outlook, no rule":    "ack 12\n\nFrom: Midwatch <a@b>\nSent: Sunday\nTo: Ana\nSubject: x\n\nReplication lag",
		"old Outlook":         "ack 12\n\n-----Original Message-----\nFrom: Midwatch\nack 99",
		"Apple Mail":          "Ack 12\n\n> On 22 Nov 2026, at 03:01, Midwatch <a@b> wrote:\n> \n> Replication lag",
		"German":              "ack 12\n\nAm So., 22. Nov. 2026 um 03:01 Uhr schrieb Midwatch <a@b>:\n\n> Replication lag",
		"Portuguese":          "ack 12\n\nMidnight\n\nEm dom., 22 de nov. de 2026, 03:01, Midwatch escreveu:\n\nReplication lag",
		"signature":           "ack 12\n\n-- \nAna Duarte\nDatabase team",
		"a phone's signature": "Ack 12\n\nSent from my iPhone",
	} {
		want := Command{Verb: Ack, Incident: "INC-12"}
		if name == "Portuguese" {
			want.Text = "Midnight"
		}
		if got, ok := Parse(text); !ok || got != want {
			t.Errorf("%s: got %+v, %v", name, got, ok)
		}
	}
}

func TestTextIsBounded(t *testing.T) {
	got, ok := Parse("note 12 " + strings.Repeat("ö", 20_000))
	if !ok || len(got.Text) > textLimit || !utf8.ValidString(got.Text) || !strings.HasSuffix(got.Text, "…") {
		t.Errorf("%d bytes, %v", len(got.Text), ok)
	}
}

// What was understood can be written down and is understood the same again: buttons are written so.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"ack 12", "snooze 12 1h30m x", "page <@U1> a\nb", "who is on call for db?", "note\n12 apes", "INC-1: resolved",
		"resolve 1\nOn Monday x wrote:\n> a\nb", "note > a", "/ack@b 12", "snooze for 2 hours", "note -- \n--", "page @ @", "page a 12", "page a\n12",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, ok := Parse(text)
		if len(c.Text) > textLimit || !utf8.ValidString(c.Text) {
			t.Fatalf("text of %d bytes: %q", len(c.Text), c.Text)
		}
		if !ok {
			if c.Verb != "" {
				t.Fatalf("%+v, and not understood", c)
			}
			return
		}
		if said[string(c.Verb)] != c.Verb || c.For < 0 || c.For > snoozeLimit || c.Incident != "" && incidentOf(c.Incident) != c.Incident {
			t.Fatalf("%q: %+v", text, c)
		}
		again, ok := Parse(c.String())
		if !ok || again != c {
			t.Fatalf("%q is %+v, written %q it is %+v", text, c, c.String(), again)
		}
	})
}
