package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"time"

	kvsv1 "github.com/kvs/kvs/gen/go/kvs/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// A client with a connection of its own.
type client struct {
	ints    kvsv1.IntStoreClient
	strings kvsv1.StringStoreClient
	sets    kvsv1.SetStoreClient
	batch   kvsv1.BatchClient
}

func connect(address, ca, certificate, key string) (*client, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New(ca + " has no certificate")
	}
	quick := backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.5, MaxDelay: time.Second}
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots})),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: quick, MinConnectTimeout: time.Second}),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithNoProxy())
	if err != nil {
		return nil, err
	}
	return &client{kvsv1.NewIntStoreClient(connection), kvsv1.NewStringStoreClient(connection),
		kvsv1.NewSetStoreClient(connection), kvsv1.NewBatchClient(connection)}, nil
}

func precondition(c condition) *kvsv1.Precondition {
	switch c {
	case mustExist:
		return &kvsv1.Precondition{Condition: &kvsv1.Precondition_MustExist{MustExist: true}}
	case mustNotExist:
		return &kvsv1.Precondition{Condition: &kvsv1.Precondition_MustNotExist{MustNotExist: true}}
	}
	return nil
}

func joined(members []string) string {
	if len(members) == 0 {
		return ""
	}
	return strings.Join(members, " ") + " "
}

// Does an operation on the keys of this name.
func (c *client) do(ctx context.Context, key string, in input) (output, error) {
	var out output
	switch in.verb {
	case intPut:
		r, err := c.ints.Put(ctx, &kvsv1.IntStorePutRequest{Key: key, Value: &in.number, Precondition: precondition(in.condition)})
		out.changed = r.GetReplaced()
		return out, err
	case intIncrement:
		r, err := c.ints.Increment(ctx, &kvsv1.IntStoreIncrementRequest{Key: key, Delta: &in.number})
		out.previous, out.number = r.GetPrevious(), r.GetValue()
		return out, err
	case intGet:
		r, err := c.ints.Get(ctx, &kvsv1.IntStoreGetRequest{Key: key})
		out.state = state{hasInt: true, number: r.GetValue()}
		return out, err
	case intDelete:
		r, err := c.ints.Delete(ctx, &kvsv1.IntStoreDeleteRequest{Key: key})
		out.changed = r.GetDeleted()
		return out, err
	case stringPut:
		r, err := c.strings.Put(ctx, &kvsv1.StringStorePutRequest{Key: key, Value: &in.text, Precondition: precondition(in.condition)})
		out.changed = r.GetReplaced()
		return out, err
	case stringAppend:
		r, err := c.strings.Append(ctx, &kvsv1.StringStoreAppendRequest{Key: key, Value: &in.text})
		out.size = r.GetSizeBytes()
		return out, err
	case stringGet:
		r, err := c.strings.Get(ctx, &kvsv1.StringStoreGetRequest{Key: key})
		out.state = state{hasString: true, text: r.GetValue()}
		return out, err
	case setAdd:
		r, err := c.sets.Add(ctx, &kvsv1.SetStoreAddRequest{Key: key, Members: []string{in.text}})
		out.changed, out.size = r.GetAdded() > 0, r.GetSize()
		return out, err
	case setRemove:
		r, err := c.sets.Remove(ctx, &kvsv1.SetStoreRemoveRequest{Key: key, Members: []string{in.text}})
		out.changed, out.size = r.GetRemoved() > 0, r.GetSize()
		return out, err
	case setGet:
		r, err := c.sets.Get(ctx, &kvsv1.SetStoreGetRequest{Key: key})
		out.state = state{hasSet: true, members: joined(r.GetMembers())}
		return out, err
	case changeAll:
		return c.changeAll(ctx, key, in)
	default:
		return c.readAll(ctx, key)
	}
}

func (c *client) execute(ctx context.Context, operations ...*kvsv1.BatchOperation) ([]*kvsv1.BatchResult, error) {
	response, err := c.batch.Execute(ctx, &kvsv1.BatchExecuteRequest{Operations: operations, Atomic: true})
	if err == nil && len(response.Results) != len(operations) {
		err = errors.New("not as many results as operations")
	}
	return response.GetResults(), err
}

func (c *client) changeAll(ctx context.Context, key string, in input) (output, error) {
	increment := &kvsv1.IntStoreIncrementRequest{Key: key, Delta: &in.number}
	put := &kvsv1.StringStorePutRequest{Key: key, Value: &in.text}
	add := &kvsv1.SetStoreAddRequest{Key: key, Members: []string{in.text}}
	results, err := c.execute(ctx,
		&kvsv1.BatchOperation{Operation: &kvsv1.BatchOperation_IntIncrement{IntIncrement: increment}},
		&kvsv1.BatchOperation{Operation: &kvsv1.BatchOperation_StringPut{StringPut: put}},
		&kvsv1.BatchOperation{Operation: &kvsv1.BatchOperation_SetAdd{SetAdd: add}})
	if err != nil {
		return output{}, err
	}
	return output{number: results[0].GetIntIncrement().GetValue(), size: results[2].GetSetAdd().GetSize()}, nil
}

func (c *client) readAll(ctx context.Context, key string) (output, error) {
	ints := &kvsv1.IntStoreMultiGetRequest{Keys: []string{key}}
	texts := &kvsv1.StringStoreMultiGetRequest{Keys: []string{key}}
	results, err := c.execute(ctx,
		&kvsv1.BatchOperation{Operation: &kvsv1.BatchOperation_IntMultiGet{IntMultiGet: ints}},
		&kvsv1.BatchOperation{Operation: &kvsv1.BatchOperation_StringMultiGet{StringMultiGet: texts}})
	if err != nil {
		return output{}, err
	}
	seenInt, seenText := results[0].GetIntMultiGet(), results[1].GetStringMultiGet()
	return output{state: state{hasInt: seenInt.Revisions[0] != 0, number: seenInt.Values[0],
		hasString: seenText.Revisions[0] != 0, text: seenText.Values[0]}}, nil
}

// What an error says: a result, or that nothing was changed, or nothing (unknown).
func outcome(err error) (what result, refused bool) {
	reason := ""
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			reason = info.Reason
		}
	}
	switch reason {
	case "KEY_NOT_FOUND":
		return keyNotFound, false
	case "KEY_EXISTS":
		return keyExists, false
	case "", "OUTCOME_UNKNOWN":
		return unknown, false
	}
	return unknown, true
}
