package chat

import "strings"

// pressPrefix begins the action_id of our buttons in Slack.
const pressPrefix = "mw_"

// tokenMark stands between a button's command and its token.
const tokenMark = " ~"

// press is what a button carries: the command it stands for, as a person would type it, and its token.
func (a Action) press(incident string) string {
	s := Command{Verb: a.Verb, Incident: incident, For: a.For}.String()
	if a.Token != "" {
		s += tokenMark + a.Token
	}
	return s
}

// readPress reads a button again. Services hand back what anybody with a modified client made of it: the command is checked as
// one that was typed, and the token by the desk.
func readPress(value string) (Command, string, bool) {
	command, token, _ := strings.Cut(value, tokenMark)
	c, ok := Parse(command)
	if !ok || c.Text != "" || c.User != "" {
		return Command{}, "", false
	}
	return c, token, true
}
