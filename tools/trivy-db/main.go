// Command trivy-db writes a Trivy cache folder whose databases hold the advisories of a YAML
// file, through the modules by which Trivy's own database is written.
//
//	trivy-db advisories.yaml FOLDER
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/aquasecurity/trivy-db/pkg/db"
	"github.com/aquasecurity/trivy-db/pkg/metadata"
	javadb "github.com/aquasecurity/trivy-java-db/pkg/db"
	bolt "go.etcd.io/bbolt"
	_ "modernc.org/sqlite" // the driver of the Java index
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("trivy-db: ")
	if len(os.Args) != 3 {
		log.Fatal("usage: trivy-db ADVISORIES.yaml FOLDER")
	}
	if err := run(os.Args[1], os.Args[2], time.Now().UTC()); err != nil {
		log.Fatal(err)
	}
}

func run(advisories, folder string, now time.Time) error {
	catalogue, err := readCatalogue(advisories)
	if err != nil {
		return err
	}
	if err := writeVulnerabilities(catalogue, filepath.Join(folder, "db"), now); err != nil {
		return fmt.Errorf("writing the vulnerability database: %w", err)
	}
	if err := writeJavaIndex(filepath.Join(folder, "java-db"), now); err != nil {
		return fmt.Errorf("writing the Java index: %w", err)
	}
	fmt.Printf("%d vulnerabilities\n", len(catalogue.Vulnerabilities))
	return nil
}

func writeVulnerabilities(catalogue Catalogue, folder string, now time.Time) (err error) {
	if err := db.Init(folder); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	config := db.Config{}
	put := func(tx *bolt.Tx) error {
		for _, vulnerability := range catalogue.Vulnerabilities {
			if err := putVulnerability(config, tx, catalogue.Sources, vulnerability); err != nil {
				return fmt.Errorf("%s: %w", vulnerability.ID, err)
			}
		}
		return nil
	}
	if err := config.BatchUpdate(put); err != nil {
		return err
	}
	return metadata.NewClient(folder).Update(metadata.Metadata{
		Version:      db.SchemaVersion,
		NextUpdate:   now.AddDate(1, 0, 0),
		UpdatedAt:    now,
		DownloadedAt: now,
	})
}

func putVulnerability(config db.Config, tx *bolt.Tx, sources map[string]Source, v Vulnerability) error {
	for _, affected := range v.Affected {
		source, err := affected.dataSource(sources)
		if err != nil {
			return err
		}
		if err := config.PutDataSource(tx, affected.Bucket, source); err != nil {
			return err
		}
		advisory, err := affected.advisory()
		if err != nil {
			return err
		}
		for _, name := range affected.Packages {
			// By pointer: as a value it would be written without its status.
			if err := config.PutAdvisory(tx, []string{affected.Bucket, name}, v.ID, &advisory); err != nil {
				return err
			}
		}
	}
	detail, err := v.detail()
	if err != nil {
		return err
	}
	return config.PutVulnerability(tx, v.ID, detail)
}

// Trivy asks for an index of jars by their hash; an empty one sends it to each jar's own
// pom.properties.
func writeJavaIndex(folder string, now time.Time) error {
	if err := javadb.Reset(folder); err != nil {
		return err
	}
	index, err := javadb.New(folder)
	if err != nil {
		return err
	}
	if err := errors.Join(index.Init(), index.Close()); err != nil {
		return err
	}
	client := javadb.NewMetadata(folder)
	return client.Update(javadb.Metadata{
		Version:      javadb.SchemaVersion,
		NextUpdate:   now.AddDate(1, 0, 0),
		UpdatedAt:    now,
		DownloadedAt: now,
	})
}
