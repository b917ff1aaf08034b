// Signer-launcher is the program that Notation starts as the plugin com.amazonaws.signer.notation.plugin. It decides
// nothing: it says who it is, and hands what it is asked to the provider that started Notation, whose private socket and
// whose name for this run two variables of the environment give.
//
// The provider is sent one line, "<run> <command>", and the standard input up to its end. It answers one line,
// "<exit code> <length>", and a JSON document of that many bytes. See provider/signer/socket.ts.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

const (
	socketVariable = "NOTATION_PROVIDER_PLUGIN_SOCKET"
	runVariable    = "NOTATION_PROVIDER_PLUGIN_RUN"

	// Whoever started Notation ends it earlier; nothing is left behind if he does not.
	patience = 60 * time.Second

	maxRequest = 1 << 20
	maxAnswer  = 1 << 16

	// The same as METADATA in provider/signer/plugin.ts.
	metadata = `{"name":"com.amazonaws.signer.notation.plugin",` +
		`"description":"Verifies AWS Signer's signatures; built into notation-gatekeeper-provider",` +
		`"version":"1.0.2292","url":"https://docs.aws.amazon.com/signer/",` +
		`"supportedContractVersions":["1.0"],` +
		`"capabilities":["SIGNATURE_VERIFIER.TRUSTED_IDENTITY","SIGNATURE_VERIFIER.REVOCATION_CHECK"]}`
)

func main() {
	code, answer, err := run(os.Args[1:], os.Stdin)
	if err != nil {
		code, answer = 1, failure(err)
	}
	stream := os.Stdout
	if code != 0 {
		stream = os.Stderr
	}
	if _, err := stream.Write(answer); err != nil {
		code = 1
	}
	os.Exit(code)
}

// failure is an error as the plugin contract has them.
func failure(err error) []byte {
	document, _ := json.Marshal(map[string]string{"errorCode": "ERROR", "errorMessage": err.Error()})
	return document
}

func run(args []string, input io.Reader) (int, []byte, error) {
	if len(args) != 1 {
		return 0, nil, errors.New("a plugin is given one command")
	}
	switch args[0] {
	case "get-plugin-metadata":
		return 0, []byte(metadata), nil
	case "verify-signature":
		return ask(args[0], input)
	default:
		return 0, nil, errors.New("the plugin only verifies signatures")
	}
}

// ask has the provider answer. No error holds a path or a part of the secret.
func ask(command string, input io.Reader) (int, []byte, error) {
	socket, run := os.Getenv(socketVariable), os.Getenv(runVariable)
	if socket == "" || run == "" {
		return 0, nil, errors.New("the plugin works only where notation-gatekeeper-provider starts Notation")
	}
	// First, so that nothing waits for the provider while Notation is still writing.
	request, err := io.ReadAll(io.LimitReader(input, maxRequest+1))
	if err != nil || len(request) > maxRequest {
		return 0, nil, fmt.Errorf("the request cannot be read or has more than %d bytes", maxRequest)
	}
	connection, err := net.DialTimeout("unix", socket, patience)
	if err != nil {
		return 0, nil, errors.New("the provider cannot be reached")
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(patience))
	if err := send(connection, run, command, request); err != nil {
		return 0, nil, errors.New("the provider did not take the request")
	}
	return receive(connection)
}

func send(connection net.Conn, run, command string, request []byte) error {
	message := append([]byte(run+" "+command+"\n"), request...)
	if _, err := connection.Write(message); err != nil {
		return err
	}
	half, ok := connection.(*net.UnixConn)
	if !ok {
		return errors.New("not a unix socket")
	}
	return half.CloseWrite()
}

func receive(connection net.Conn) (int, []byte, error) {
	reader := bufio.NewReaderSize(connection, 128)
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return 0, nil, errors.New("the provider did not answer")
	}
	var code, length int
	if _, err := fmt.Sscanf(string(line), "%d %d\n", &code, &length); err != nil {
		return 0, nil, errors.New("the provider's answer cannot be read")
	}
	if code < 0 || code > 1 || length < 0 || length > maxAnswer {
		return 0, nil, errors.New("the provider's answer is out of bounds")
	}
	answer := make([]byte, length)
	if _, err := io.ReadFull(reader, answer); err != nil {
		return 0, nil, errors.New("the provider's answer is cut off")
	}
	return code, answer, nil
}
