// Copyright: (c) 2026, SysGenPro
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// netpol gives a verdict on every first packet of a connection that netfilter queues, by the cluster's NetworkPolicies.
// The module's own main knows only the configuration inside a cluster; here a kubeconfig is given.
package main

import (
	"context"
	"flag"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "file with the cluster's address and an identity that may read pods, namespaces and policies")
	node := flag.String("node", "", "name of this node")
	queue := flag.Int("queue", 100, "netfilter's queue that packets come from")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		klog.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		klog.Fatal(err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(client, factory.Networking().V1().NetworkPolicies(), factory.Core().V1().Namespaces(),
		factory.Core().V1().Pods(), nil, nil, nil, nil, networkpolicy.Config{QueueID: *queue, NodeName: *node})
	if err != nil {
		klog.Fatal(err)
	}
	factory.Start(ctx.Done())
	go func() {
		if err := controller.Run(ctx); err != nil {
			klog.Fatal(err)
		}
	}()
	<-ctx.Done()
	// The controller takes its table back meanwhile.
	time.Sleep(time.Second)
}
