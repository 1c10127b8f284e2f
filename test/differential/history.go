package main

import (
	"fmt"
	"strings"
)

// request is one question to a server, as text in which symbols stand for what that server chose.
type request struct {
	method, path string
	header       []string // "Name: value"
	body         string
}

// answer is what came back, with symbols.
type answer struct {
	code   int
	header []string // "Content-Type: ...", then each "Warning: ..."
	body   string   // YAML, or the text itself
}

type exchange struct {
	request request
	answer  answer // upstream's
}

// history is a run of requests, each with upstream's answer.
type history struct {
	title     string
	exchanges []exchange
}

const (
	titleMark    = "# "
	requestMark  = ">> "
	answerMark   = "<< "
	headerIndent = "   "
)

// String writes a history as the files in testdata have it.
func (h history) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n", titleMark, h.title)
	block := func(first string, header []string, body string) {
		b.WriteString(first + "\n")
		for _, line := range header {
			b.WriteString(headerIndent + line + "\n")
		}
		if body = strings.TrimRight(body, "\n"); body != "" {
			b.WriteString(body + "\n")
		}
	}
	for _, e := range h.exchanges {
		b.WriteString("\n")
		block(requestMark+e.request.method+" "+e.request.path, e.request.header, e.request.body)
		block(fmt.Sprintf("%s%d", answerMark, e.answer.code), e.answer.header, e.answer.body)
	}
	return b.String()
}

// parseHistories reads what String wrote, one history after another.
func parseHistories(text string) ([]history, error) {
	var all []history
	var body *string
	var header *[]string
	for n, line := range strings.Split(text, "\n") {
		var last *history
		if len(all) > 0 {
			last = &all[len(all)-1]
		}
		title, isTitle := strings.CutPrefix(line, titleMark)
		call, isRequest := strings.CutPrefix(line, requestMark)
		code, isAnswer := strings.CutPrefix(line, answerMark)
		switch {
		case isTitle && (last == nil || last.exchanges == nil || strings.HasPrefix(title, titleWord)):
			all = append(all, history{title: title})
			body, header = nil, nil
		case last == nil:
			if line != "" {
				return nil, fmt.Errorf("read history: line %d: a history begins with %q", n+1, titleMark)
			}
		case isRequest:
			method, path, found := strings.Cut(call, " ")
			if !found {
				return nil, fmt.Errorf("read history: line %d: no path", n+1)
			}
			last.exchanges = append(last.exchanges, exchange{request: request{method: method, path: path}})
			e := &last.exchanges[len(last.exchanges)-1]
			body, header = &e.request.body, &e.request.header
		case isAnswer && len(last.exchanges) > 0:
			e := &last.exchanges[len(last.exchanges)-1]
			if _, err := fmt.Sscan(code, &e.answer.code); err != nil {
				return nil, fmt.Errorf("read history: line %d: %w", n+1, err)
			}
			body, header = &e.answer.body, &e.answer.header
		case body == nil:
		case *body == "" && header != nil && strings.HasPrefix(line, headerIndent):
			*header = append(*header, strings.TrimPrefix(line, headerIndent))
		default:
			header = nil
			*body += line + "\n"
		}
	}
	for i := range all {
		for j := range all[i].exchanges {
			e := &all[i].exchanges[j]
			e.request.body, e.answer.body = strings.TrimRight(e.request.body, "\n"), strings.TrimRight(e.answer.body, "\n")
		}
	}
	return all, nil
}

// titleWord begins every title, so that a body's comment is none.
const titleWord = "seed "
