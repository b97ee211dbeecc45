package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/aquasecurity/trivy-db/pkg/types"
	"gopkg.in/yaml.v3"
)

// Catalogue is what advisories.yaml holds.
type Catalogue struct {
	Sources         map[string]Source `yaml:"sources"`
	Vulnerabilities []Vulnerability   `yaml:"vulnerabilities"`
}

// Source is who says so.
type Source struct {
	Name string `yaml:"name"`
	URL  string `yaml:"url"`
}

// Vulnerability is one CVE and what it affects.
type Vulnerability struct {
	ID         string     `yaml:"id"`
	Title      string     `yaml:"title"`
	Severity   string     `yaml:"severity"`
	CVSS       CVSS       `yaml:"cvss"`
	CWE        []string   `yaml:"cwe"`
	Published  time.Time  `yaml:"published"`
	References []string   `yaml:"references"`
	Affected   []Affected `yaml:"affected"`
}

// CVSS is a base score of version 3 and the vector that it follows from.
type CVSS struct {
	Score  float64 `yaml:"score"`
	Vector string  `yaml:"vector"`
}

// Affected tells the packages of one ecosystem: Bucket is Trivy's name for it.
type Affected struct {
	Bucket     string   `yaml:"bucket"`
	Source     string   `yaml:"source"`
	Advisory   string   `yaml:"advisory"`
	Packages   []string `yaml:"packages"`
	Vulnerable []string `yaml:"vulnerable"`
	Patched    []string `yaml:"patched"`
	Fixed      string   `yaml:"fixed"`
	Status     string   `yaml:"status"`
}

// readCatalogue refuses unknown keys: a mistyped `patched` would hide a finding.
func readCatalogue(path string) (Catalogue, error) {
	file, err := os.Open(path)
	if err != nil {
		return Catalogue{}, err
	}
	defer file.Close()
	var catalogue Catalogue
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	if err := decoder.Decode(&catalogue); err != nil {
		return Catalogue{}, fmt.Errorf("%s: %w", path, err)
	}
	return catalogue, nil
}

func (a Affected) dataSource(sources map[string]Source) (types.DataSource, error) {
	source, known := sources[a.Source]
	if !known {
		return types.DataSource{}, fmt.Errorf("%s: no source is called %q", a.Bucket, a.Source)
	}
	id := types.SourceID("ghsa")
	if a.Source == "debian" {
		id = "debian"
	}
	return types.DataSource{ID: id, Name: source.Name, URL: source.URL}, nil
}

func (a Affected) advisory() (types.Advisory, error) {
	advisory := types.Advisory{
		VulnerableVersions: a.Vulnerable,
		PatchedVersions:    a.Patched,
		FixedVersion:       a.Fixed,
	}
	if a.Advisory != "" {
		advisory.VendorIDs = []string{a.Advisory}
	}
	if a.Status != "" {
		if !slices.Contains(types.Statuses, a.Status) {
			return advisory, fmt.Errorf("%s: status %q is none of %q", a.Bucket, a.Status, types.Statuses)
		}
		advisory.Status = types.NewStatus(a.Status)
	}
	return advisory, nil
}

func (v Vulnerability) detail() (types.Vulnerability, error) {
	severity, err := types.NewSeverity(v.Severity)
	if err != nil {
		return types.Vulnerability{}, err
	}
	return types.Vulnerability{
		Title:          v.Title,
		Description:    v.Title,
		Severity:       v.Severity,
		CweIDs:         v.CWE,
		VendorSeverity: types.VendorSeverity{"nvd": severity, "ghsa": severity},
		CVSS: types.VendorCVSS{
			"nvd": types.CVSS{V3Vector: v.CVSS.Vector, V3Score: v.CVSS.Score},
		},
		References:    v.References,
		PublishedDate: &v.Published,
	}, nil
}
