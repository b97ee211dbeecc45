/**
 * Where each tool is published, and the SHA-256 of every archive we are willing to run.
 *
 * A version that is not listed here can still be used from the runner's tool cache; it
 * cannot be downloaded, as there would be nothing to hold it to.
 */
export type ToolName =
  | 'terraform'
  | 'tofu'
  | 'trivy'
  | 'cosign'
  | 'k6'
  | 'flyway'
  | 'squawk'
  | 'ansible-core'
  | 'buildx';

/** The runner's architecture as Node and the tool cache call it. */
export type Architecture = 'x64' | 'arm64';

export interface Download {
  /**
   * The address for a version; a mirror serves the same path under its own base. `mvn:` and `npm:` name
   * an artifact or a package that the runner's own client gets, by its own settings.
   */
  url(version: string, architecture: Architecture): string;
  /** 'none' when it is the program itself. */
  archive: 'zip' | 'tar.gz' | 'none';
  /** Patterns of the members that are unpacked, where most of the archive is of no use. */
  members?: readonly string[];
  /** The folder inside the archive that holds the tool, or '' when it lies at the top. */
  folder(version: string, architecture: Architecture): string;
  /** Version → architecture → SHA-256 of the archive, as its publisher lists it. */
  sha256: Record<string, Partial<Record<Architecture, string>>>;
}

const GO = { x64: 'amd64', arm64: 'arm64' };
const TRIVY = { x64: '64bit', arm64: 'ARM64' };
const GITHUB = 'https://github.com';

export const CATALOGUE: Partial<Record<ToolName, Download>> = {
  terraform: {
    url: (version, arch) =>
      `https://releases.hashicorp.com/terraform/${version}/terraform_${version}_linux_${GO[arch]}.zip`,
    archive: 'zip',
    folder: () => '',
    sha256: {
      '1.11.4': {
        x64: '1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc',
        arm64: 'a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633',
      },
    },
  },
  tofu: {
    url: (version, arch) =>
      `${GITHUB}/opentofu/opentofu/releases/download/v${version}/tofu_${version}_linux_${GO[arch]}.zip`,
    archive: 'zip',
    folder: () => '',
    sha256: {
      '1.10.6': { x64: '15b7bed76420b50da3e121769c43341df8cd57d751ca14e6dbe9c850124c6dac' },
    },
  },
  trivy: {
    url: (version, arch) =>
      `${GITHUB}/aquasecurity/trivy/releases/download/v${version}/trivy_${version}_Linux-${TRIVY[arch]}.tar.gz`,
    archive: 'tar.gz',
    folder: () => '',
    sha256: {
      '0.70.0': {
        x64: '8b4376d5d6befe5c24d503f10ff136d9e0c49f9127a4279fd110b727929a5aa9',
        arm64: '2f6bb988b553a1bbac6bdd1ce890f5e412439564e17522b88a4541b4f364fc8d',
      },
    },
  },
  cosign: {
    url: (version, arch) =>
      `${GITHUB}/sigstore/cosign/releases/download/v${version}/cosign-linux-${GO[arch]}`,
    archive: 'none',
    folder: () => '',
    sha256: {
      '3.0.6': {
        x64: 'c956e5dfcac53d52bcf058360d579472f0c1d2d9b69f55209e256fe7783f4c74',
        arm64: 'bedac92e8c3729864e13d4a17048007cfafa79d5deca993a43a90ffe018ef2b8',
      },
    },
  },
  k6: {
    url: (version, arch) =>
      `${GITHUB}/grafana/k6/releases/download/v${version}/k6-v${version}-linux-${GO[arch]}.tar.gz`,
    archive: 'tar.gz',
    folder: (version, arch) => `k6-v${version}-linux-${GO[arch]}`,
    sha256: {
      '2.1.0': {
        x64: '295d961ebfca306f295f1133068dcd403a8171c87f387928f5f30b0fbcff858a',
        arm64: '191fa8d89512a4e5083f3fabcb4c3828af9f5b9eee016de8443f6473c029ffb5',
      },
    },
  },
  flyway: {
    // Java and the drivers of other databases are most of it; what is left runs anywhere.
    url: (version) => `mvn:org.flywaydb:flyway-commandline:${version}:tar.gz:linux-x64`,
    archive: 'tar.gz',
    members: ['*/flyway', '*/lib/*.jar', '*/lib/flyway/*.jar', '*/drivers/postgresql-*.jar'],
    folder: (version) => `flyway-${version}`,
    sha256: {
      '11.8.2': {
        x64: '66cb1221fbb467484b40d137e45d2a92a5a2e2a4f37b73c3aba3afd81b39d909',
        arm64: '66cb1221fbb467484b40d137e45d2a92a5a2e2a4f37b73c3aba3afd81b39d909',
      },
    },
  },
  squawk: {
    url: (version, arch) => `npm:@squawk-cli/linux-${arch}@${version}`,
    archive: 'tar.gz',
    folder: () => 'package',
    sha256: {
      '2.66.0': {
        x64: '29a97bb145dbfd3868b04e7155f8d6773dfa81cb6f5e82530960539e55f4fa3a',
      },
    },
  },
};
