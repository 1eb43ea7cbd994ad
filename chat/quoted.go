package chat

import (
	"regexp"
	"strings"
)

// How mail programs introduce what they quote, in the languages whose forms are known, and how people sign.
var (
	attribution = regexp.MustCompile(`(?i)^(?:on|am|le|el|em|il|den|op|dnia|w dniu|vào)\b.*\b(?:wrote|schrieb.*|a écrit|escribió|escreveu|ha scritto|skrev.*|schreef.*|napisał.*) ?:$`)
	original    = regexp.MustCompile(`(?i)^-{2,} ?(?:original message|forwarded message|ursprüngliche nachricht|message d'origine|mensagem original|mensaje original|messaggio originale|ursprungligt meddelande) ?-{2,}$`)
	rule        = regexp.MustCompile(`^_{10,}$`)
	header      = regexp.MustCompile(`(?i)^\*?(?:from|von|de|da|från|sent|gesendet|date|to|an|à|cc|subject|betreff|objet|assunto|asunto) ?: ?\*?`)
	from        = regexp.MustCompile(`(?i)^\*?(?:from|von|de|da|från) ?: ?\*?`)
	signature   = regexp.MustCompile(`(?i)^(?:--|—|sent from my .*|sent from outlook.*|get outlook for .*|von meinem .* gesendet|envoyé de mon .*|enviado (?:do meu|desde mi) .*)$`)
)

// attributionLines is over how many lines an introduction may be broken: the sender's address is long.
const attributionLines = 3

// unquote leaves of a message what its writer wrote: quoted lines go, and so does all from the signature on.
func unquote(text string) string {
	all := strings.Split(text, "\n")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	var kept []string
	for i := 0; i < len(all); i++ {
		l := all[i]
		switch n := introduces(all[i:]); {
		case strings.HasPrefix(l, ">"):
			continue
		case n > 0:
			// Below its quotation people write too, if the quotation is marked line by line. Otherwise nobody can tell.
			if !quotedNext(all[i+n:]) {
				return strings.TrimSpace(strings.Join(kept, "\n"))
			}
			i += n - 1
			continue
		case original.MatchString(l), rule.MatchString(l), signature.MatchString(l), headers(all[i:]):
			return strings.TrimSpace(strings.Join(kept, "\n"))
		}
		kept = append(kept, l)
	}
	return strings.TrimSpace(strings.Join(kept, "\n"))
}

// introduces says how many lines "On …, … wrote:" takes; 0 if it is not there.
func introduces(all []string) int {
	joined := ""
	for n := 1; n <= min(len(all), attributionLines); n++ {
		if all[n-1] == "" {
			return 0
		}
		joined = strings.TrimSpace(joined + " " + all[n-1])
		if attribution.MatchString(joined) {
			return n
		}
	}
	return 0
}

func quotedNext(all []string) bool {
	for _, l := range all {
		if l != "" {
			return strings.HasPrefix(l, ">")
		}
	}
	return false
}

// headers says whether a mail's header stands here, as Outlook quotes: From, and two more names below it.
func headers(all []string) bool {
	if !from.MatchString(all[0]) {
		return false
	}
	n := 0
	for _, l := range all[1:min(len(all), 5)] {
		if header.MatchString(l) {
			n++
		}
	}
	return n >= 2
}
